"""Calls against the tools a namespace has: unknown and forbidden tools, arguments, outputs (P007–P009)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from app.plan.arguments import ArgumentCheck
from app.plan.findings import Finding, error
from app.plan.model import Calling, Step
from app.plan.paths import Path, format_path
from app.plan.signature import ToolCatalog, ToolSignature
from app.plan.tool_schema import ToolSchema, describe, property_names
from app.plan.values import shorten


class CallCheck:
    """Checks the calls of one plan; what it finds out about a tool it keeps for the tool's next call."""

    def __init__(self, tools: ToolCatalog) -> None:
        self.tools = tools
        self._known: dict[str, _Tool] = {}

    def check(self, step: Step, call: Calling) -> Iterator[Finding]:
        """P007, or P008 and P009 where the tool may be called."""
        tool = self._known.get(call.tool_name)
        if tool is None:
            tool = self._known[call.tool_name] = _Tool(call.tool_name, self.tools)
        if tool.refusal is not None:
            message, hint = tool.refusal
            yield error("P007", step.seq_no, "parameters.tool_name", message, hint)
            return
        for fault in tool.arguments.faults(call.tool_params):
            place = format_path(("parameters", "tool_params", *fault.path))
            yield error("P008", step.seq_no, place, fault.message, fault.hint)
        for variable, path in call.outputs.items():
            if path and not tool.may_give(path):
                place = _output_place(step, variable)
                yield error("P009", step.seq_no, place, *tool.no_such_output(variable, path))


class _Tool:
    """One tool as the namespace has it. ``refusal``: message and hint where it can't be called."""

    def __init__(self, name: str, tools: ToolCatalog) -> None:
        self.name = name
        signature = tools.signature(name)
        self.refusal = _refusal(name, signature, tools)
        known = signature or ToolSignature(name, {})
        self.arguments = ArgumentCheck(known)
        self.result = None if known.result is None else ToolSchema(known.result)
        self._may_give: dict[Path, bool] = {}

    def may_give(self, path: Path) -> bool:
        """Whether the result may have something there. Text may: it can hold a JSON object."""
        if self.result is None:
            return True
        if path not in self._may_give:
            is_text = isinstance(path[0], str) and self.result.admits(self.result.root, "string")
            self._may_give[path] = is_text or self.result.has_path(path)
        return self._may_give[path]

    def no_such_output(self, variable: str, path: Path) -> tuple[str, str]:
        """Message and hint for an output that the result can't have."""
        schema = self.result.root if self.result else {}
        keys = [
            key
            for layer in (self.result.layers(schema) if self.result else ())
            for key in property_names(layer)
        ]
        place = format_path(path)
        message = f"the result of {self.name} can't have {place}, which {variable} is to be"
        if not keys:
            return message, f"the result is {describe(schema)}; name one variable to keep the whole of it"
        near = get_close_matches(str(path[0]), keys, n=1)
        suggestion = f"did you mean {near[0]}? " if near and near[0] != path[0] else ""
        return message, suggestion + shorten(f"the result has the keys {', '.join(keys)}", 300)


def _refusal(name: str, signature: ToolSignature | None, tools: ToolCatalog) -> tuple[str, str] | None:
    if signature is not None and tools.allowed(name):
        return None
    names = tools.names()
    near = get_close_matches(name, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else _all_tools(names)
    if signature is None:
        return f"there is no tool {shorten(name)!r}", hint
    return f"tool {shorten(name)!r} is not allowed in this namespace", _all_tools(names)


def _all_tools(names: list[str]) -> str:
    if not names:
        return "the namespace allows no tools"
    return shorten(f"the namespace allows {', '.join(sorted(names))}", 300)


def _output_place(step: Step, variable: str) -> str:
    named = step.parameters.get("output_vars")
    if isinstance(named, list) and variable in named:
        return format_path(("parameters", "output_vars", named.index(variable)))
    return format_path(("parameters", "output_vars", variable))
