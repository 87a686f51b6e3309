"""The live display at a terminal: what is done scrolls up, a few lines below it say what runs now."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from app.cli.planning_text import plan_lines, planning_line, retry_text, revision_lines, round_lines
from app.cli.progress import FinishedSteps, request_line
from app.cli.screen import QUIET, WARN, Line, rich_text
from app.cli.streamed_text import StreamedText
from app.cli.texts import count, elapsed, usage_text
from app.history.commits import one_line
from app.plan.model import Calling, Json, Step
from app.vm.events import (
    Event,
    ItemDone,
    ModelRetried,
    NotRevised,
    PlanChecked,
    PlanningStarted,
    RevisionMade,
    RevisionStarted,
    StepCommitted,
    StepStarted,
    StopRequested,
    TokenSaid,
    ToolSaid,
    UsageGrew,
)

_REDRAWS_A_SECOND: Final = 8
_SILENT_SECONDS: Final = 2.0
"""After how long another item of a ``for_each`` may be heard instead of the one that was."""
_BESIDE: Final = "  │ "


def open_live() -> LiveProgress | None:
    """The live display, or ``None`` where the terminal can't move its cursor."""
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    return None if console.is_dumb_terminal else LiveProgress(console)


class LiveProgress:
    """Redrawn a few times a second by a thread of its own; an event only changes what is drawn next."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = FinishedSteps()
        self._view = _View(console.width)
        # What tools print goes above the view, not through it.
        self._live = Live(
            self._view,
            console=console,
            refresh_per_second=_REDRAWS_A_SECOND,
            transient=True,
            redirect_stdout=True,
            redirect_stderr=True,
        )
        self._live.start()

    def listen(self, event: Event) -> None:
        self._view.take(event)
        if isinstance(event, PlanningStarted):
            self._print([planning_line(event)])
        elif isinstance(event, PlanChecked):
            self._print_whole(round_lines(event))
            self._print(plan_lines(event.clean_plan))
        elif isinstance(event, RevisionStarted | RevisionMade | NotRevised):
            self._print(revision_lines(event))
        elif isinstance(event, StopRequested):
            self._print([request_line(event)])
        elif isinstance(event, StepCommitted):
            self._print(self._steps.lines(event))

    def end(self) -> None:
        self._live.stop()
        self._print(self._steps.rest())

    def _print(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._console.print(rich_text(line), no_wrap=True, overflow="ellipsis")

    def _print_whole(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._console.print(rich_text(line), soft_wrap=True)


class _View:
    """What runs, the end of what a model is writing, and what the run's models used so far:

    ⠹ 3 llm_generate  12 of 40 items  1.2 s
      │ the last lines
      │ of a text
      3 model calls, 1,200 tokens in, 300 out, cost 0.0123
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._spinner = Spinner("dots")
        self._running = _Running()
        self._speech = Speech()
        self._usage = ""

    def take(self, event: Event) -> None:
        """Something happened. Some events come from the threads of tools."""
        self._running.take(event)
        if isinstance(event, TokenSaid):
            self._speech.hear(event, self._width - len(_BESIDE))
        elif isinstance(event, ModelRetried):
            self._speech.fall_silent(event)
        elif isinstance(event, UsageGrew):
            self._usage = usage_text(event.usage)
        elif isinstance(event, StepCommitted):
            self._speech.end(event.step.seq_no)
        elif isinstance(event, PlanningStarted | RevisionStarted | PlanChecked):
            self._speech.end()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._width = options.max_width
        spinner = self._spinner.render(console.get_time())
        lines = [Text.assemble(spinner, " ", (self._running.text(), QUIET))]  # type: ignore[arg-type]
        notice = self._speech.notice()
        if notice:
            lines.append(Text.assemble((_BESIDE, QUIET), (notice, WARN)))
        lines += [Text(_BESIDE + line, QUIET) for line in self._speech.lines()]
        if self._usage:
            lines.append(Text(f"  {self._usage}", QUIET))
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line


@dataclass(slots=True)
class _Begun:
    """A step that is under way."""

    step: Step
    started: float
    items: str
    message: str = ""


class _Running:
    """``3 read_file  12 of 40 items  1.2 s  message  7 more under way``, or ``planning  round 2  3.4 s``.

    Of several steps under way the one that began first is shown.
    """

    def __init__(self) -> None:
        self._run_started = self._started = monotonic()
        self._steps: dict[int | None, _Begun] = {}
        self._round = 0
        self._done = 0

    def take(self, event: Event) -> None:
        if isinstance(event, PlanningStarted | RevisionStarted):
            self._started, self._round = monotonic(), 1
        elif isinstance(event, PlanChecked):
            self._round = event.round + 1 if event.clean_plan is None else 0
        elif isinstance(event, StepStarted):
            self._round = 0
            items = f"0 of {count(event.count, 'item')}" if event.count is not None else ""
            self._steps[event.step.seq_no] = _Begun(event.step, monotonic(), items)
        elif isinstance(event, ItemDone | ToolSaid):
            self._note(event)
        elif isinstance(event, StepCommitted):
            self._steps.pop(event.step.seq_no, None)
            self._round = 0
            self._done += 1

    def _note(self, event: ItemDone | ToolSaid) -> None:
        begun = self._steps.get(event.step.seq_no if isinstance(event, ItemDone) else event.seq_no)
        if begun is None:
            return
        if isinstance(event, ItemDone):
            begun.items = f"{event.done:,} of {count(event.count, 'item')}"
        else:
            fraction = f" {event.fraction:.0%}" if event.fraction is not None else ""
            begun.message = one_line(event.message, 120) + fraction

    def text(self) -> str:
        """The line as it is now."""
        return "  ".join(part for part in self._parts(monotonic()) if part)

    def _parts(self, now: float) -> Iterator[str]:
        under_way = list(self._steps.values())  # a copy: it is drawn in a thread of its own
        if under_way:
            first, more = under_way[0], len(under_way) - 1
            yield from (_title(first.step), first.items, elapsed(now - first.started), first.message)
            yield f"{more} more under way" if more else ""
        elif self._round:
            yield from ("planning", f"round {self._round}", elapsed(now - self._started))
        else:
            yield from (count(self._done, "step"), elapsed(now - self._run_started))


class Speech:
    """What models say, one at a time: of the items of a ``for_each`` the one that was heard first goes on."""

    def __init__(self) -> None:
        self._text = StreamedText()
        self._speaker: tuple[Json, Json] | None = None
        self._heard_at = 0.0
        self._retry: tuple[ModelRetried, float] | None = None
        self._lock = threading.Lock()

    def hear(self, event: TokenSaid, width: int) -> None:
        """A token, which counts where nobody else speaks."""
        speaker, now = (event.seq_no, event.item), monotonic()
        with self._lock:
            if speaker != self._speaker:
                if self._speaker is not None and now - self._heard_at < _SILENT_SECONDS:
                    return
                self._text.clear()
                self._speaker = speaker
            self._heard_at, self._retry = now, None
            self._text.add(event.token, width)

    def fall_silent(self, event: ModelRetried) -> None:
        """A model is asked again, now or later: what it said is void."""
        with self._lock:
            self._retry = event, monotonic() + event.wait_seconds
            if self._speaker in (None, (event.seq_no, event.item)):
                self._clear()

    def end(self, seq_no: int | None = None) -> None:
        """What was said belongs to what is over: all of it, or what a step's model said."""
        with self._lock:
            if seq_no is None or self._speaker is None or self._speaker[0] == seq_no:
                self._retry = None
                self._clear()

    def _clear(self) -> None:
        self._text.clear()
        self._speaker = None

    def lines(self) -> list[str]:
        """The last lines of what is being said."""
        with self._lock:
            return self._text.lines()

    def notice(self) -> str:
        """Why a model is asked again, until somebody speaks."""
        retry = self._retry
        return "" if retry is None else retry_text(retry[0], retry[1] - monotonic())


def _title(step: Step) -> str:
    name = step.instruction.tool_name if isinstance(step.instruction, Calling) else step.type
    return f"{step.seq_no} {name}"
