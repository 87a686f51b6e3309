"""What is shown while a model is at work: rounds of planning, the plan it wrote, retries."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Final

from app.cli.errors import finding_lines
from app.cli.screen import GOOD, NAME, QUIET, WARN, Line
from app.cli.texts import count
from app.history.commits import one_line
from app.plan.model import Assign, Calling, Jump, Plan, Step
from app.vm.events import (
    ModelRetried,
    NotRevised,
    PlanChecked,
    PlanningStarted,
    RevisionMade,
    RevisionStarted,
)

_FINDINGS_SHOWN: Final = 12
_STEPS_SHOWN: Final = 40
_OBSTACLES: Final = {
    "rate_limit": "rate limited",
    "network": "no connection",
    "timeout": "no answer in time",
    "server": "the server failed",
    "mode": "the server has no such form of JSON",
    "garbage": "the answer was of no use",
}
"""What stood in a call's way, by the kind of its ``ModelError``, as far as calls are made again."""


def planning_line(event: PlanningStarted) -> Line:
    """Who plans."""
    who = (
        f"  {event.model}"
        if not event.is_scripted
        else "  scripted: replies are read from a file, no model is asked"
    )
    return [("planning", NAME), (who, QUIET)]


def revision_lines(event: RevisionStarted | RevisionMade | NotRevised) -> Iterator[Line]:
    """Who revises, where the new plan goes on, or why there is none."""
    if isinstance(event, RevisionStarted):
        who = "scripted" if event.is_scripted else event.model
        yield [("revising", NAME), (f"  {who}, {event.number} of {event.of}", QUIET)]
    elif isinstance(event, RevisionMade):
        kept = count(event.kept, "step")
        yield [("revision", NAME), f" goes on as {event.branch}", (f", {kept} kept", QUIET)]
    else:
        yield [("not revised", WARN), f": {one_line(event.message, 300)}"]


def round_lines(event: PlanChecked) -> Iterator[Line]:
    """How a round ended: with a clean plan, or with findings that go back to the model."""
    repaired = f"  repaired: {', '.join(event.repairs)}" if event.repairs else ""
    if event.clean_plan is not None:
        steps = count(len(event.clean_plan.steps), "step")
        yield [("✓", GOOD), f" plan: {steps}, round {event.round}", (repaired, QUIET)]
    else:
        errors = sum(finding.severity == "error" for finding in event.findings)
        yield [("!", WARN), f" round {event.round}: {count(errors, 'error')}", (repaired, QUIET)]
    for finding in event.findings[:_FINDINGS_SHOWN]:
        for line in finding_lines(finding.to_json()):
            yield [(line, QUIET)]
    yield from _more(len(event.findings) - _FINDINGS_SHOWN, "more finding")


def plan_lines(plan: Plan | None) -> Iterator[Line]:
    """The plan as it will run, a line a step; of a long one its beginning. None: nothing."""
    if plan is None:
        return
    wide = max((len(str(step.seq_no)) for step in plan.steps), default=1)
    for step in plan.steps[:_STEPS_SHOWN]:
        description = f"  {one_line(step.description, 200)}" if step.description else ""
        yield [f"  {step.seq_no:>{wide}} {_what(step)}", (description, QUIET)]
    yield from _more(len(plan.steps) - _STEPS_SHOWN, "more step")


def _more(number: int, noun: str) -> Iterator[Line]:
    if number > 0:
        yield [(f"  … {count(number, noun)}", QUIET)]


def retry_text(event: ModelRetried, seconds: float) -> str:
    """``rate limited, again in 3 s``; ``seconds`` are those still to wait."""
    again = f"again in {ceil(seconds)} s" if seconds > 0.5 else "asked again"
    return f"{_OBSTACLES.get(event.kind, 'no answer')}, {again}"


def _what(step: Step) -> str:
    instruction = step.instruction
    if isinstance(instruction, Calling):
        each = " (for_each)" if instruction.for_each is not None else ""
        outputs = ", ".join(instruction.outputs)
        return f"{instruction.tool_name}{each}" + (f" -> {outputs}" if outputs else "")
    if isinstance(instruction, Assign):
        return "assign -> " + ", ".join(instruction.values)
    if isinstance(instruction, Jump):
        target = instruction.target if instruction.target is not None else instruction.if_true
        return f"jmp -> {target}"
    return step.type
