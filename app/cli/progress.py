"""What a run tells while it goes on, on stderr: live at a terminal, plain lines elsewhere, or nothing.

The machine calls the listener after every step, so it has to return at once: a plan of thousands of steps
shows some of them and counts the others.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Protocol

from app.cli.planning_text import plan_lines, planning_line, retry_text, revision_lines, round_lines
from app.cli.screen import BAD, GOOD, QUIET, WARN, Line, tell
from app.cli.streams import is_terminal
from app.cli.texts import count, duration, preview
from app.history.commits import one_line
from app.vm.events import (
    Event,
    ItemDone,
    Listener,
    ModelRetried,
    NotRevised,
    PlanChecked,
    PlanningStarted,
    RevisionMade,
    RevisionStarted,
    StepCommitted,
    StepStarted,
    StopRequested,
    ToolSaid,
)

BURST_LINES: Final = 60
LINES_A_SECOND: Final = 10
_SECONDS_BETWEEN_MESSAGES: Final = 1.0
_PREVIEW_CHARACTERS: Final = 40
_RETRIES: Final = 8
_RETRIES_A_SECOND: Final = 0.5
"""Eight items of a ``for_each`` that are all refused say so once each, not all the time."""


class Progress(Protocol):
    """Shows the events of a run."""

    def listen(self, event: Event) -> None:
        """Take an event; returns at once, never raises."""

    def end(self) -> None:
        """The run is over."""


@contextmanager
def watching(*, silent: bool) -> Iterator[Listener | None]:
    """The listener of a run, for as long as it goes on; ``None`` where nobody watches."""
    if silent or sys.stderr is None:
        yield None
        return
    progress = _open_progress()
    try:
        yield progress.listen
    finally:
        progress.end()


def _open_progress() -> Progress:
    if not is_terminal(sys.stderr):
        return PlainProgress(tell)
    from app.cli.live import open_live  # it imports rich

    return open_live() or PlainProgress(tell)


class LineLimiter:
    """Lets a burst of lines pass, then so many a second. ``left_out`` counts the others since the last that did."""

    def __init__(
        self,
        burst: int = BURST_LINES,
        lines_a_second: float = LINES_A_SECOND,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._burst = burst
        self._lines_a_second = lines_a_second
        self._clock = clock
        self._looked_at = clock()
        self._allowance = float(burst)
        self.left_out = 0

    def admits(self) -> bool:
        """Whether one more line may be shown now."""
        now = self._clock()
        earned = (now - self._looked_at) * self._lines_a_second
        self._allowance = min(self._burst, self._allowance + earned)
        self._looked_at = now
        if self._allowance >= 1:
            self._allowance -= 1
            return True
        self.left_out += 1
        return False


class FinishedSteps:
    """Steps that are done, as lines: all where there are few, some where they come by the thousand."""

    def __init__(self, limiter: LineLimiter | None = None) -> None:
        self._limiter = limiter or LineLimiter()

    def lines(self, event: StepCommitted) -> list[Line]:
        """The lines to show for a step that was committed; often none."""
        if event.error is None and not self._limiter.admits():
            return []
        return [*self.rest(), step_line(event)]

    def rest(self) -> list[Line]:
        """How many were left out, where some were."""
        left_out, self._limiter.left_out = self._limiter.left_out, 0
        return [[(f"  … {count(left_out, 'more step')}", QUIET)]] if left_out else []


def step_line(event: StepCommitted) -> Line:
    """``✓ 3 read_file -> text  0.012 s  "first characters…"``."""
    mark, style = ("✓", GOOD) if event.error is None else ("!", WARN)
    if event.kind == "failure":
        mark, style = "✗", BAD
    line: Line = [(mark, style), f" {event.step.seq_no} {event.summary}"]
    if event.duration_ms is not None:
        line = [*line, (f"  {duration(event.duration_ms / 1000)}", QUIET)]
    if event.reused:
        line = [*line, (f"  {event.reused:,} reused" if event.reused > 1 else "  reused", QUIET)]
    if event.error is not None:
        return [*line, (f"  {one_line(event.error, 200)}", style)]
    if event.values:
        return [*line, (f"  {_values_text(event)}", QUIET)]
    return line


def _values_text(event: StepCommitted) -> str:
    if len(event.values) == 1:
        return preview(next(iter(event.values.values())), _PREVIEW_CHARACTERS)
    shown = list(event.values.items())[:3]
    return ", ".join(f"{name} = {preview(value, _PREVIEW_CHARACTERS // 2)}" for name, value in shown)


class PlainProgress:
    """A line for each step that is done, and now and then one about the step that runs."""

    def __init__(self, write: Callable[[list[Line]], None], clock: Callable[[], float] = monotonic) -> None:
        self._write = write
        self._clock = clock
        self._steps = FinishedSteps(LineLimiter(clock=clock))
        self._retries = LineLimiter(_RETRIES, _RETRIES_A_SECOND, clock)
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def listen(self, event: Event) -> None:
        if isinstance(event, StepCommitted):
            lines = self._steps.lines(event)
            if lines:
                self._write(lines)
        elif isinstance(event, PlanningStarted):
            self._write([planning_line(event)])
        elif isinstance(event, PlanChecked):
            self._write([*round_lines(event), *plan_lines(event.clean_plan)])
        elif isinstance(event, RevisionStarted | RevisionMade | NotRevised):
            self._write(list(revision_lines(event)))
        elif isinstance(event, StopRequested):
            self._write([request_line(event)])
        elif isinstance(event, ModelRetried):
            self._tell_retry(event)
        elif isinstance(event, StepStarted):
            self._quiet_until = self._clock() + _SECONDS_BETWEEN_MESSAGES
        else:
            self._message(event)

    def end(self) -> None:
        self._write(self._steps.rest())

    def _tell_retry(self, event: ModelRetried) -> None:
        with self._lock:
            if not self._retries.admits():
                return
        place = "planning" if event.seq_no is None else str(event.seq_no)
        said = (f": {one_line(event.message, 200)}", QUIET)
        self._write([[f"  {place} ", (retry_text(event, event.wait_seconds), WARN), said]])

    def _message(self, event: Event) -> None:
        text = running_text(event)
        with self._lock:  # tools speak from threads of their own
            if text is None or self._clock() < self._quiet_until:
                return
            self._quiet_until = self._clock() + _SECONDS_BETWEEN_MESSAGES
        self._write([[f"  {text}"]])


def request_line(event: StopRequested) -> Line:
    """What somebody asked the run to do, and when it will."""
    if event.who is None:
        return [("pausing", WARN), " when the step under way is done; Ctrl-C again stops at once"]
    words = {"pause": "pausing when the step under way is done", "cancel": "cancelling"}
    return [(words[event.request], WARN), f", as {one_line(event.who, 60)} asked"]


def running_text(event: Event) -> str | None:
    """What an event says about the step that runs."""
    if isinstance(event, ItemDone):
        return f"{event.step.seq_no} {event.done:,} of {count(event.count, 'item')}"
    if isinstance(event, ToolSaid):
        fraction = f" ({event.fraction:.0%})" if event.fraction is not None else ""
        return f"{event.seq_no} {one_line(event.message, 120)}{fraction}"
    return None
