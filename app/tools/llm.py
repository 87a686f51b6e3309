"""The tool that asks a model: its texts become variables like any other result."""

from __future__ import annotations

from typing import Any, Final

from app.tools.base import Tool
from app.tools.context import ToolContext
from app.tools.decorator import tool

MODEL_TOOLS: Final = frozenset({"llm_generate"})
"""Tools whose calls are calls of a model and nothing else: what was written outside does not change them."""


class NoModel(Exception):
    """No model is configured."""


@tool(effect="read", version="llm-1", secrets=False)  # a model is told the name of a secret, never its value
def llm_generate(
    prompt: str,
    machine: ToolContext,
    context: Any = None,
    response_format: Any = None,
) -> Any:
    """Have the model write what `prompt` asks for.

    `context` is what it should know: any value. `response_format` says what the answer should look like. The
    result is a text; where the step names several outputs, an object with just those keys.
    """
    if machine.generate is None:
        raise NoModel("no model is configured: set LLM_PROVIDER and LLM_MODEL")
    return machine.generate(prompt, context, response_format)


def llm_tools() -> list[Tool]:
    """The toolset."""
    return [llm_generate]
