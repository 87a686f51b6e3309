"""Tools to check plans against, and short ways to write steps. Used by the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.plan.model import Plan
from app.plan.parse import plan_from_json
from app.plan.signature import ToolSignature

TEXT = {"type": "string"}


def closed(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


SIGNATURES = (
    ToolSignature(
        "read_file",
        closed({"path": TEXT}),
        closed({"path": TEXT, "text": TEXT, "lines": {"type": "integer"}}),
    ),
    ToolSignature(
        "list_files",
        closed({"path": TEXT, "pattern": TEXT}, ["path"]),
        {"type": "array", "items": closed({"path": TEXT})},
    ),
    ToolSignature(
        "search",
        closed(
            {
                "query": TEXT,
                "limit": {"type": "integer", "minimum": 1},
                "fields": {"type": "array", "items": TEXT},
                "within": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "options": closed(
                    {"case": {"type": "boolean"}, "mode": {"enum": ["word", "text"]}}, ["mode"]
                ),
            },
            ["query"],
        ),
        aliases=("find",),
    ),
    ToolSignature("format_disk", closed({})),
)


class Tools:
    """A catalog of signatures; names in ``forbidden`` are known but not allowed."""

    def __init__(
        self,
        signatures: tuple[ToolSignature, ...] = SIGNATURES,
        forbidden: tuple[str, ...] = ("format_disk",),
    ) -> None:
        self._tools = {name: tool for tool in signatures for name in (tool.name, *tool.aliases)}
        self._forbidden = forbidden

    def signature(self, name: str) -> ToolSignature | None:
        return self._tools.get(name)

    def allowed(self, name: str) -> bool:
        return name in self._tools and name not in self._forbidden

    def names(self) -> list[str]:
        return [name for name in self._tools if self.allowed(name)]


Document = dict[str, Any]


def assign(seq_no: int, **values: Any) -> Document:
    return {"seq_no": seq_no, "type": "assign", "parameters": values}


def calling(
    seq_no: int, tool: str, params: Mapping[str, Any] | None = None, outputs: Any = None, **more: Any
) -> Document:
    parameters = {"tool_name": tool, "tool_params": dict(params or {}), **more}
    if outputs is not None:
        parameters["output_vars"] = outputs
    return {"seq_no": seq_no, "type": "calling", "parameters": parameters}


def jump(seq_no: int, target: int) -> Document:
    return {"seq_no": seq_no, "type": "jmp", "parameters": {"target_seq": target}}


def branch(seq_no: int, condition: str, if_true: int, if_false: int | None = None) -> Document:
    parameters: Document = {"condition": condition, "jump_if_true": if_true}
    if if_false is not None:
        parameters["jump_if_false"] = if_false
    return {"seq_no": seq_no, "type": "jmp", "parameters": parameters}


def answer(seq_no: int, value: Any = "done") -> Document:
    return assign(seq_no, final_answer=value)


def plan(*steps: Document) -> Plan:
    return plan_from_json(list(steps))
