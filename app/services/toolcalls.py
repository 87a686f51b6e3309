"""Trying a tool by hand: the same validation, timeout and retries as in a run, and no history."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from app.errors import InputError, NotFound
from app.services.workplace import Workplace
from app.tools.base import Tool
from app.vm.calls import Call, Outcome
from app.vm.events import Listener, ToolSaid
from app.vm.performer import Performer


def call_tool(
    workplace: Workplace, name: str, arguments: Any, listener: Listener | None = None
) -> tuple[Tool, Outcome]:
    """Call a tool once by name or alias. Raises ``NotFound``, and ``InputError`` where arguments are no object."""
    workplace.actor.require("operator")
    if not isinstance(arguments, dict):
        raise InputError(
            "the arguments of a tool are a JSON object", hint='for example {"path": "README.md"}'
        )
    tool = seen_tool(workplace, name)
    watcher = None
    if listener is not None:
        listen = listener

        def watcher(call: Call, message: str, fraction: float | None) -> None:
            listen(ToolSaid(call.seq_no, call.item, message, fraction))

    with Performer(clock=workplace.clock_ms, watcher=watcher) as performer:
        call = Call(
            tool=tool,
            arguments=arguments,
            task_id="by hand",
            idempotency_key=workplace.new_task_id() if tool.effect in ("write", "irreversible") else None,
            timeout=tool.timeout,
            retry=tool.retry,
            max_result_bytes=workplace.limits["value_bytes"],
            secrets=workplace.secrets,
        )
        return tool, performer.perform(call)


def seen_tool(workplace: Workplace, name: str) -> Tool:
    """A tool by name or alias, where the actor's namespace allows it. Raises ``NotFound`` with the nearest names."""
    tool = workplace.load_registry().get(name)
    if tool.name not in workplace.catalog(workplace.actor.namespace).names():
        raise NotFound("tool", name)
    return tool


def seen_tools(workplace: Workplace, namespace: str | None = None) -> list[Tool]:
    """The tools that a namespace allows, by default the actor's, by name. Raises ``NotFound`` for the namespace."""
    chosen = namespace if namespace is not None else workplace.actor.namespace
    if not workplace.actor.sees(chosen):
        raise NotFound("namespace", str(chosen))
    allowed = set(workplace.catalog(chosen).names())
    return [tool for tool in workplace.load_registry().list() if tool.name in allowed]


def tool_document(tool: Tool) -> dict[str, Any]:
    """A tool as JSON: what a plan's author, or a model, has to know of it."""
    return {
        "tool": tool.name,
        "aliases": list(tool.aliases),
        "description": tool.description,
        "effect": tool.effect,
        "declared": tool.declared,
        "parameters": dict(tool.parameters),
        "result": dict(tool.result) if tool.result is not None else None,
        "timeout": tool.timeout,
        "retry": asdict(tool.retry) if tool.retry is not None else None,
        "reuse": tool.reuse,
        "version": tool.version,
        "defined": tool.place,
        "unavailable": tool.unavailable,
    }


def call_document(tool: Tool, outcome: Outcome) -> dict[str, Any]:
    """What a call by hand gave, as JSON: a ``value``, or an ``error``."""
    return {
        "tool": tool.name,
        "value": outcome.value,
        "error": outcome.error.message if outcome.error is not None else None,
        "attempts": outcome.attempts,
        "started_ms": outcome.started_ms,
        "ended_ms": outcome.ended_ms,
    }
