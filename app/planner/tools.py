"""The tools of a namespace in a prompt's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from app.plan.signature import ToolCatalog
from app.plan.tool_schema import property_names, required_names
from app.planner.data import clean
from app.planner.shapes import shape
from app.tools.base import EFFECTS, Effect, Tool

_MEANING: Final[Mapping[Effect, str]] = {
    "pure": "computes from its arguments",
    "read": "looks at the outside, changes nothing",
    "write": "changes the outside; safe to repeat",
    "irreversible": "changes the outside and can't be undone or repeated",
}


class PlanningCatalog(ToolCatalog, Protocol):
    """A catalog that can also show its tools."""

    def list(self) -> Sequence[Tool]:
        """Every tool that the namespace allows, by name."""


def tools_values(catalog: PlanningCatalog) -> dict[str, str]:
    """What ``tools.jinja`` is filled in with: nothing of a tool that is not allowed, or can't work."""
    tools = [_tool(tool) for tool in catalog.list() if tool.unavailable is None]
    return {
        "effects": "\n".join(f"- {effect}: {_MEANING[effect]}" for effect in EFFECTS),
        "tools": "\n\n".join(tools) or "There are no tools: the plan has no `calling` steps.",
    }


def _tool(tool: Tool) -> str:
    lines = [f"## {tool.name} ({tool.effect})"]
    if tool.aliases:
        lines.append(f"Also called {', '.join(tool.aliases)}.")
    lines += [clean(tool.description), "", *_arguments(tool.parameters)]
    lines.append(f"Result: {'not described' if tool.result is None else clean(shape(tool.result))}")
    return "\n".join(lines)


def _arguments(schema: Mapping[str, Any]) -> Iterator[str]:
    names = property_names(schema)
    if not names:
        yield f"Arguments: {'none' if schema.get('additionalProperties') is False else shape(schema)}"
        return
    yield "Arguments:"
    required = required_names(schema)
    for name in names:
        yield _argument(name, schema["properties"][name], name in required)
    others = schema.get("additionalProperties")
    if others is True or isinstance(others, Mapping):
        yield f"- any other name (optional): {shape(others)}"


def _argument(name: str, schema: Any, required: bool) -> str:
    doc = schema.get("description") if isinstance(schema, Mapping) else None
    note = f" - {clean(doc)}" if isinstance(doc, str) else ""
    return f"- {name} ({'required' if required else 'optional'}): {shape(schema)}{note}"
