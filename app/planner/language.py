"""The plan language in a prompt's words, made from the language's own tables so that it can't differ from them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from json import JSONEncoder
from typing import Any, Final

from app.plan.expression_functions import FUNCTIONS
from app.plan.findings import CODES
from app.plan.model import PLAN_VERSION
from app.plan.schema import FORMS, Form, Parameter
from app.planner.shapes import shape

_encode: Final = JSONEncoder(ensure_ascii=False).encode

_FINE_PRINT: Final = frozenset(
    {"pattern", "patternProperties", "minProperties", "uniqueItems", "minimum", "maximum"}
)
"""What the prose says in better words, and the checker where somebody goes astray."""

EXAMPLE_GOAL: Final = "How many words have the pages about birds, and is there any at all?"

EXAMPLE: Final[dict[str, Any]] = {
    "version": PLAN_VERSION,
    "reasoning": "List the pages; without any, say so; else read them all at once and add up their words.",
    "steps": [
        {
            "seq_no": 1,
            "type": "calling",
            "description": "find the pages",
            "parameters": {
                "tool_name": "list_pages",
                "tool_params": {"topic": "birds"},
                "output_vars": "pages",
            },
        },
        {
            "seq_no": 2,
            "type": "jmp",
            "description": "are there any?",
            "parameters": {"condition": "len(pages) == 0", "jump_if_true": 5},
        },
        {
            "seq_no": 3,
            "type": "calling",
            "description": "read each page",
            "parameters": {
                "tool_name": "read_page",
                "for_each": "${pages}",
                "tool_params": {"path": "${item.path}"},
                "output_vars": {"counts": "words"},
            },
        },
        {
            "seq_no": 4,
            "type": "assign",
            "description": "answer",
            "parameters": {"final_answer": "${{ sum(counts) }} words in ${{ len(pages) }} pages"},
        },
        {
            "seq_no": 5,
            "type": "assign",
            "description": "answer: none",
            "parameters": {"final_answer": "There is no page about birds."},
        },
    ],
}
"""A plan for :data:`EXAMPLE_GOAL`; a test holds it against the checker."""


@lru_cache
def language_values() -> dict[str, str]:
    """What ``language.jinja`` is filled in with."""
    return {
        "version": str(PLAN_VERSION),
        "steps": "\n\n".join(_form(name, form) for name, form in FORMS.items()),
        "functions": "\n".join(f"- {function.signature}: {function.doc}" for function in FUNCTIONS.values()),
        "codes": "\n".join(f"- {code}: {meaning}" for code, meaning in CODES.items()),
        "example": f"Goal: {EXAMPLE_GOAL}\n\n{plan_text(EXAMPLE)}",
    }


def _form(name: str, form: Form) -> str:
    way = name.removeprefix(form.type).strip("_")
    lines = [f'### "type": "{form.type}"{f", with {way}" if way else ""}', form.doc]
    if form.free is not None:
        lines.append(f"parameters: {_free(form)}")
    lines += [_parameter(key, parameter) for key, parameter in form.parameters.items()]
    return "\n".join(lines)


def _free(form: Form) -> str:
    names = "patternProperties" in (form.free or {})
    return '{"variable": value, …}, any JSON values' if names else "any JSON object"


def _parameter(name: str, parameter: Parameter) -> str:
    need = "required" if parameter.required else "optional"
    return f"- {name} ({need}): {parameter.doc}\n  {shape(parameter.schema, _FINE_PRINT)}"


def plan_text(document: Mapping[str, Any]) -> str:
    """A plan document, a line a step."""
    head = "".join(f"{_encode(key)}: {_encode(value)}, " for key, value in document.items() if key != "steps")
    steps = ",\n".join(f"  {_encode(step)}" for step in document["steps"])
    return f'{{{head}"steps": [\n{steps}\n]}}'
