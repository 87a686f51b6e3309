"""Commits of a log as the machine tells of them when it makes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from app.errors import ReferenceFailed
from app.plan.model import Calling, Json, Plan, Reasoning, Step
from app.plan.paths import follow
from app.services.inspect import LogEntry
from app.vm.events import StepCommitted
from app.vm.records import reused_calls

_SUBJECT: Final = re.compile(r"step \d+: (?P<summary>.*?)(?: failed: (?P<error>.*))?\Z", re.DOTALL)


def step_committed(entry: LogEntry, plan: Plan | None) -> StepCommitted:
    """A step or failure. Without its record, what took how long and what came of it is not told."""
    commit, record = entry.commit, entry.record or {}
    said = _SUBJECT.match(commit.subject)
    summary, error = (said["summary"], said["error"]) if said else (commit.subject, None)
    step = _step(plan, commit.seq_no or 0)
    timed = isinstance(record.get("started_ms"), int) and isinstance(record.get("ended_ms"), int)
    return StepCommitted(
        commit.id,
        step,
        commit.kind,
        summary,
        record["ended_ms"] - record["started_ms"] if timed else None,
        _values(step, record),
        _error(record) or error,
        reused_calls(dict(record)),
    )


def _step(plan: Plan | None, seq_no: int) -> Step:
    found = next((step for step in plan.steps if step.seq_no == seq_no), None) if plan is not None else None
    return found or Step(seq_no, "step", {}, Reasoning({}))


def _error(record: Mapping[str, Any]) -> str | None:
    """Also that of a step which went on all the same."""
    error = record.get("error")
    return error if isinstance(error, str) else None


def _values(step: Step, record: Mapping[str, Any]) -> dict[str, Json]:
    """The variables that the call set."""
    if not isinstance(step.instruction, Calling):
        return {}
    outputs = step.instruction.outputs
    try:
        if "value" in record:
            return {name: follow(record["value"], path, name) for name, path in outputs.items()}
        if isinstance(record.get("values"), list) and not record.get("errors"):
            return {
                name: [follow(value, path, name) for value in record["values"]]
                for name, path in outputs.items()
            }
    except ReferenceFailed:
        pass
    return {}
