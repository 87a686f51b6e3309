"""The state between two steps, and the transition that leads from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.history.codec import Snapshot
from app.plan.dataflow import FINAL_ANSWER
from app.plan.model import Json

PLANNING: Final = "planning"
RUNNING: Final = "running"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
WAITING: Final = "waiting"
PAUSED: Final = "paused"

STATUSES: Final = ("queued", PLANNING, RUNNING, PAUSED, WAITING, COMPLETED, FAILED, CANCELLED)


@dataclass(frozen=True, slots=True)
class StepFailure:
    """What went wrong in a step; also the shape of the variable ``error``."""

    step: int | None
    message: str
    tool: str | None = None
    item: int | None = None

    def to_json(self) -> dict[str, Json]:
        return {"step": self.step, "tool": self.tool, "message": self.message, "item": self.item}


@dataclass(frozen=True, slots=True)
class Transition:
    """What a step did. ``next_pc`` is ``None`` at the end of the plan.

    ``failure`` with ``failed``: the step is not done and the run stops before it; without: the plan handles it.
    """

    next_pc: int | None
    variables: Mapping[str, Json] = field(default_factory=dict)
    failure: StepFailure | None = None
    failed: bool = False
    summary: str = ""


@dataclass(slots=True)
class State:
    """``pc`` is the ``seq_no`` of the next step. ``steps`` counts executed steps, failed ones included.

    ``visits`` counts how often a step that lies in a loop was done; the others are done once at most.
    """

    variables: dict[str, Json] = field(default_factory=dict)
    pc: int | None = None
    status: str = RUNNING
    steps: int = 0
    worked_ms: int = 0
    visits: dict[int, int] = field(default_factory=dict)
    error: dict[str, Json] | None = None
    errors: list[Json] = field(default_factory=list)
    usage: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot) -> State:
        """The state that a commit holds."""
        control = snapshot.control
        return cls(
            variables=dict(snapshot.variables),
            pc=control.get("pc"),
            status=control.get("status", RUNNING),
            steps=control.get("steps", 0),
            worked_ms=control.get("worked_ms", 0),
            visits=visits_of(control),
            error=control.get("error"),
            errors=list(snapshot.errors),
            usage=dict(control.get("usage", {})),
        )

    def control(self) -> dict[str, Any]:
        """The content of ``state.json``: everything but the variables and lists; what is empty is left out."""
        control: dict[str, Any] = {"pc": self.pc, "status": self.status, "steps": self.steps}
        if self.visits:
            control["visits"] = visits_document(self.visits)
        if self.worked_ms:
            control["worked_ms"] = self.worked_ms
        if self.error is not None:
            control["error"] = self.error
        if self.usage:
            control["usage"] = self.usage
        return control

    def visit(self, seq_no: int) -> int:
        """The number of the visit that the next execution of the step is, from 1."""
        return self.visits.get(seq_no, 0) + 1

    def apply(self, transition: Transition, seq_no: int, *, in_loop: bool) -> None:
        """Take the step. The variables are taken over, not copied."""
        self.steps += 1
        if transition.failure is not None:
            self.errors = [*self.errors, transition.failure.to_json()]
        if transition.failed and transition.failure is not None:
            self.status = FAILED
            self.error = transition.failure.to_json()
            return
        self.error = None
        self.variables.update(transition.variables)
        if in_loop:
            self.visits[seq_no] = self.visits.get(seq_no, 0) + 1
        ended = transition.next_pc is None or FINAL_ANSWER in transition.variables
        self.pc = None if ended else transition.next_pc
        self.status = COMPLETED if ended else RUNNING


def visits_of(document: Mapping[str, Any]) -> dict[int, int]:
    """``visits`` as a state or a record holds them: ``seq_no`` → how often the step was done."""
    return {int(seq_no): count for seq_no, count in document.get("visits", {}).items()}


def visits_document(visits: Mapping[int, int]) -> dict[str, int]:
    """What :func:`visits_of` reads."""
    return {str(seq_no): count for seq_no, count in visits.items()}
