"""What is shown while a model writes a plan, and the plan it wrote."""

from __future__ import annotations

from collections.abc import Iterator

from app.cli.errors import finding_lines
from app.cli.screen import GOOD, NAME, QUIET, WARN, Line
from app.cli.texts import count
from app.plan.model import Assign, Calling, Jump, Plan, Step
from app.vm.events import PlanChecked, PlanningStarted


def planning_line(event: PlanningStarted) -> Line:
    """Who plans."""
    who = (
        f"  {event.model}"
        if not event.is_scripted
        else "  scripted: replies are read from a file, no model is asked"
    )
    return [("planning", NAME), (who, QUIET)]


def round_lines(event: PlanChecked) -> Iterator[Line]:
    """How a round ended: a clean plan, or findings that go back to the model."""
    errors = [finding for finding in event.findings if finding.severity == "error"]
    repaired = f"  repaired: {', '.join(event.repairs)}" if event.repairs else ""
    if errors:
        yield [("!", WARN), f" round {event.round}: {count(len(errors), 'error')}", (repaired, QUIET)]
    else:
        steps = count(event.steps or 0, "step")
        yield [("✓", GOOD), f" plan: {steps}, round {event.round}", (repaired, QUIET)]
    for finding in event.findings:
        for line in finding_lines(finding.to_json()):
            yield [(line, QUIET)]


def plan_lines(plan: Plan) -> Iterator[Line]:
    """The plan as it will run, a line a step."""
    wide = max((len(str(step.seq_no)) for step in plan.steps), default=1)
    for step in plan.steps:
        description = f"  {step.description}" if step.description else ""
        yield [f"  {step.seq_no:>{wide}} {_what(step)}", (description, QUIET)]


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
