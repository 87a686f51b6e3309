"""The live display at a terminal: finished steps scroll up, one line below them says what runs."""

from __future__ import annotations

import sys
from time import monotonic
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from app.cli.progress import FinishedSteps, planning_lines
from app.cli.screen import QUIET
from app.cli.texts import count, elapsed
from app.history.commits import one_line
from app.plan.model import Calling, Step
from app.vm.events import (
    Event,
    ItemDone,
    PlanChecked,
    PlanningStarted,
    StepCommitted,
    StepStarted,
    TokenSaid,
    ToolSaid,
)

_REDRAWS_A_SECOND: Final = 8
_TEXT_SHOWN: Final = 60


class LiveProgress:
    """Redrawn a few times a second by a thread of its own; an event only changes what is drawn next."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        self._steps = FinishedSteps()
        self._running = _RunningLine()
        # What tools print goes above the line, not through it.
        self._live = Live(
            self._running,
            console=self._console,
            refresh_per_second=_REDRAWS_A_SECOND,
            transient=True,
            redirect_stdout=True,
            redirect_stderr=True,
        )
        self._live.start()

    def listen(self, event: Event) -> None:
        if isinstance(event, PlanningStarted | PlanChecked):
            for line in planning_lines(event):
                self._console.print(Text.assemble(*line, no_wrap=True, overflow="ellipsis"))
        if not isinstance(event, StepCommitted):
            self._running.take(event)
            return
        self._running.finish()
        for line in self._steps.lines(event):
            text = Text.assemble(*line, no_wrap=True, overflow="ellipsis")
            self._console.print(text)

    def end(self) -> None:
        self._live.stop()
        for line in self._steps.rest():
            self._console.print(Text.assemble(*line))


class _RunningLine:
    """``⠹ 3 read_file  12 of 40 items  1.2 s  message``."""

    def __init__(self) -> None:
        self._spinner = Spinner("dots")
        self._run_started = monotonic()
        self._step: Step | None = None
        self._step_started = 0.0
        self._items = ""
        self._message = ""
        self._done = 0
        self._planning = False
        self._text = ""

    def take(self, event: Event) -> None:
        """Something happened in the step that runs. ``ToolSaid`` comes from the tool's thread."""
        if isinstance(event, StepStarted):
            self._step_started = monotonic()
            self._items = f"0 of {count(event.count, 'item')}" if event.count is not None else ""
            self._message = ""
            self._step = event.step
            self._planning, self._text = False, ""
        elif isinstance(event, ItemDone):
            self._items = f"{event.done:,} of {count(event.count, 'item')}"
        elif isinstance(event, ToolSaid):
            fraction = f" {event.fraction:.0%}" if event.fraction is not None else ""
            self._message = one_line(event.message, 120) + fraction
        elif isinstance(event, TokenSaid):
            # The end of what has come so far: a line that grows would flicker.
            self._text = (self._text + event.token)[-_TEXT_SHOWN:]
            self._message = one_line(self._text, _TEXT_SHOWN)
        elif isinstance(event, PlanningStarted):
            self._planning = True
        elif isinstance(event, PlanChecked):
            self._text = self._message = ""

    def finish(self) -> None:
        """The step is committed."""
        self._step = None
        self._planning = False
        self._done += 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = monotonic()
        step = self._step
        if self._planning:
            parts = ["planning", elapsed(now - self._run_started), self._message]
        elif step is None:
            parts = [count(self._done, "step"), elapsed(now - self._run_started)]
        else:
            parts = [_title(step), self._items, elapsed(now - self._step_started), self._message]
        line = Text("  ".join(part for part in parts if part), style=QUIET)
        frame = Text.assemble(self._spinner.render(console.get_time()), " ", line)  # type: ignore[arg-type]
        frame.no_wrap, frame.overflow = True, "ellipsis"
        yield frame


def _title(step: Step) -> str:
    name = step.instruction.tool_name if isinstance(step.instruction, Calling) else step.type
    return f"{step.seq_no} {name}"
