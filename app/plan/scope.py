"""What a step of a plan may read: for editors, which complete the names of variables."""

from __future__ import annotations

from dataclasses import dataclass

from app.plan.assignment import FirstArrivals, assigned_before
from app.plan.dataflow import control_flow, writes
from app.plan.model import Plan


@dataclass(frozen=True, slots=True)
class InScope:
    """A variable that some path to the step sets; ``always``: every one. ``set_by`` are the steps that set it."""

    name: str
    always: bool
    set_by: tuple[int, ...]


def variables_in_scope(plan: Plan, seq_no: int) -> list[InScope]:
    """What the checker lets the step read, by name; nothing where there is no such step or no path leads to it."""
    index = next((i for i, step in enumerate(plan.steps) if step.seq_no == seq_no), None)
    if index is None:
        return []
    setters: dict[str, list[int]] = {}
    for step in plan.steps:
        for name in writes(step):
            setters.setdefault(name, []).append(step.seq_no)
    flow = control_flow(plan)
    state, first = assigned_before(plan, flow, setters), FirstArrivals(plan, flow)
    return [
        InScope(name, state.surely(index, name), tuple(setters[name]))
        for name in sorted(setters)
        if state.maybe(index, name) and first.may_be_set(index, name)
    ]
