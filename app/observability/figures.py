"""Counts what happens in runs."""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import Final

from app.llm.base import ModelCall
from app.observability.base import Claimed, Handed, Subject
from app.observability.metrics import (
    CALLS_MADE,
    CALLS_REUSED,
    FLUSH_SECONDS,
    HANDED_BACK,
    MODEL_COST,
    MODEL_RETRIES,
    MODEL_SECONDS,
    MODEL_TOKENS,
    MODELS,
    RUN_SECONDS,
    RUNS,
    RUNS_UNDER_WAY,
    STEP_SECONDS,
    STEPS,
    TAKEOVERS,
    TOOL_SECONDS,
    TOOLS,
)
from app.vm.events import (
    AttemptBegan,
    AttemptEnded,
    Event,
    Flushed,
    ModelCalled,
    ModelRetried,
    StepCommitted,
    StepStarted,
)
from app.vm.state import CANCELLED, COMPLETED, FAILED, PAUSED, WAITING

_OK: Final = "ok"


# To find a series by its labels takes longer than to count in it.
_tool_seconds: Final = lru_cache(maxsize=4_096)(TOOL_SECONDS.labels)
_step_seconds: Final = lru_cache(maxsize=64)(STEP_SECONDS.labels)


class Figures:
    """An :class:`app.observability.base.Observer`."""

    def __init__(self) -> None:
        # From the beginning: of a series that comes into being at 1, nobody sees that it grew.
        for status in (COMPLETED, FAILED, CANCELLED, WAITING, PAUSED):
            RUNS.labels(status)

    def open(self, subject: Subject) -> RunFigures:
        """See :class:`app.observability.base.Observer`."""
        RUNS_UNDER_WAY.inc()
        return RunFigures()

    def note(self, handed: Handed) -> None:
        """See :class:`app.observability.base.Observer`."""
        if not isinstance(handed, Claimed):
            HANDED_BACK.labels(handed.reason).inc()
        elif handed.takeovers:
            TAKEOVERS.inc()

    def hear(self, event: Event) -> None:
        """See :class:`app.observability.base.Observer`."""
        _count_models(event)


class RunFigures:
    """The watch of one run. Counts of steps are gathered until commits are flushed: steps may be many, and fast."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._steps: dict[int, float] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._made = 0
        self._reused = 0

    def hear(self, event: Event) -> None:
        """See :class:`app.observability.base.RunWatch`."""
        kind = type(event)
        if kind is StepCommitted:
            self._committed(event)  # type: ignore[arg-type]
        elif kind is StepStarted:
            self._steps[event.step.seq_no] = monotonic()  # type: ignore[union-attr]
        elif kind is AttemptBegan:
            self._made += event.number == 1  # type: ignore[union-attr]
        elif isinstance(event, AttemptEnded):
            _tool_seconds(TOOLS.label(event.tool), event.error or _OK).observe(event.seconds)
        elif isinstance(event, Flushed):
            FLUSH_SECONDS.observe(event.seconds)
            self._pass_on()
        else:
            _count_models(event)

    def end(self, status: str) -> None:
        """See :class:`app.observability.base.RunWatch`."""
        self._pass_on()
        RUNS.labels(status).inc()
        RUN_SECONDS.labels(status).observe(monotonic() - self._began)
        RUNS_UNDER_WAY.dec()

    def _committed(self, event: StepCommitted) -> None:
        instruction = event.step.type
        began = self._steps.pop(event.step.seq_no, None)
        if event.kind == "failure":
            outcome = "failed"
        elif event.error is not None:
            outcome = "handled"
        else:
            outcome = "reused" if event.reused else _OK
        counted = instruction, outcome
        self._counts[counted] = self._counts.get(counted, 0) + 1
        self._reused += event.reused
        if began is not None and not event.reused:
            milliseconds = event.duration_ms
            seconds = monotonic() - began if milliseconds is None else milliseconds / 1000
            _step_seconds(instruction).observe(seconds)

    def _pass_on(self) -> None:
        counts, self._counts = self._counts, {}
        for labels, number in counts.items():
            STEPS.labels(*labels).inc(number)
        if self._made:
            CALLS_MADE.inc(self._made)
            self._made = 0
        if self._reused:
            CALLS_REUSED.inc(self._reused)
            self._reused = 0


def _count_models(event: Event) -> None:
    if isinstance(event, ModelCalled):
        _count_call(event.call, event.error)
    elif isinstance(event, ModelRetried):
        MODEL_RETRIES.labels(event.kind).inc()


def _count_call(call: ModelCall, error: str | None) -> None:
    """What a server did not count is not guessed."""
    model = MODELS.label(call.model)
    seconds = max(0, call.ended_ms - call.started_ms) / 1000
    MODEL_SECONDS.labels(model, call.purpose, error or _OK).observe(seconds)
    if call.input_tokens is not None:
        MODEL_TOKENS.labels(model, "input").inc(call.input_tokens)
    if call.output_tokens is not None:
        MODEL_TOKENS.labels(model, "output").inc(call.output_tokens)
    if call.cost is not None:
        MODEL_COST.labels(model).inc(call.cost)
