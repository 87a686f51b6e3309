"""What the machine tells whoever watches a run. Ephemeral: the history is the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.llm.base import ModelCall
from app.plan.findings import Finding, has_errors
from app.plan.model import Json, Plan, Step


@dataclass(frozen=True, slots=True)
class PlanningStarted:
    """A model begins to write the plan; ``is_scripted``: its replies are read from a file."""

    model: str
    is_scripted: bool


@dataclass(frozen=True, slots=True)
class PlanChecked:
    """A round of planning is over. ``plan`` is ``None`` where the reply held none."""

    round: int
    plan: Plan | None
    findings: tuple[Finding, ...]
    repairs: tuple[str, ...]

    @property
    def clean_plan(self) -> Plan | None:
        """The plan as it will run; ``None`` where there are errors."""
        return None if has_errors(self.findings) else self.plan


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step that needs an effect begins; ``count`` is the number of items of a ``for_each``."""

    step: Step
    visit: int
    count: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptBegan:
    """A tool is about to be called, for the ``number``-th time (from 1) by this very call."""

    seq_no: int
    visit: int
    item: int | None
    tool: str
    number: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """It gave a value, or an ``error`` of a kind (:data:`app.vm.calls.ErrorKind`). What overran is over here at its
    timeout, whatever its function does."""

    seq_no: int
    visit: int
    item: int | None
    tool: str
    number: int
    seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class ModelCalled:
    """A model answered, or was asked in vain: then ``error`` is the kind of the last ``ModelError``.

    ``seq_no`` is ``None`` for a plan.
    """

    seq_no: int | None
    item: int | None
    call: ModelCall
    error: str | None


@dataclass(frozen=True, slots=True)
class Flushed:
    """Commits became durable, which took ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ItemDone:
    """``done`` of ``count`` items have an outcome."""

    step: Step
    done: int
    count: int


@dataclass(frozen=True, slots=True)
class ToolSaid:
    """A tool reports progress; ``fraction`` is between 0 and 1, or ``None``."""

    seq_no: int
    item: int | None
    message: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class TokenSaid:
    """A piece of a text that a model is writing for a step, or of a plan where ``seq_no`` is ``None``."""

    seq_no: int | None
    item: int | None
    token: str


@dataclass(frozen=True, slots=True)
class ModelRetried:
    """A model is asked again in ``wait_seconds``: what it said here so far is void.

    ``kind`` and ``message`` are those of the ``ModelError`` that was in the way. ``seq_no`` is ``None`` for a plan.
    """

    seq_no: int | None
    item: int | None
    kind: str
    message: str
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class UsageGrew:
    """What all model calls of the run add up to by now: as ``usage`` in ``state.json``."""

    usage: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class StepCommitted:
    """A step was committed, or its failure. ``duration_ms`` is ``None`` for a step without an effect.

    ``reused``: how many of its calls, one where it is no ``for_each``, took an earlier answer.
    """

    commit: str
    step: Step
    kind: str
    summary: str
    duration_ms: int | None
    values: dict[str, Json]
    error: str | None = None
    reused: int = 0


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The run is to pause or to be cancelled (``request``) at its next step; ``who`` asked, ``None``: Ctrl-C."""

    request: str
    who: str | None


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run ended before its plan did."""

    message: str


@dataclass(frozen=True, slots=True)
class RevisionStarted:
    """A step failed, and a model begins to write the plan anew: for the ``number``-th time ``of`` so many."""

    model: str
    is_scripted: bool
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class RevisionMade:
    """The run goes on with ``plan`` on ``branch``, behind the commit ``fork_point`` and ``kept`` executed steps."""

    branch: str
    fork_point: str
    kept: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class NotRevised:
    """A step failed, and there is no revision."""

    message: str


Event: TypeAlias = (
    PlanningStarted
    | PlanChecked
    | StepStarted
    | AttemptBegan
    | AttemptEnded
    | ModelCalled
    | Flushed
    | ItemDone
    | ToolSaid
    | TokenSaid
    | ModelRetried
    | UsageGrew
    | StepCommitted
    | StopRequested
    | RunStopped
    | RevisionStarted
    | RevisionMade
    | NotRevised
)
Listener: TypeAlias = Callable[[Event], None]
"""Called in the machine's thread, or in another for ``ToolSaid``, ``TokenSaid``, ``ModelRetried``, ``ModelCalled``,
``StopRequested``. It must return at once and never raise.

A tool's thread begins with a copy of the context that ``AttemptBegan`` was told in: what a listener sets there, it
finds again where the tool asks a model."""
