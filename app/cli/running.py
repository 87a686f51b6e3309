"""What ``execute`` and ``resume`` share: a run that is watched, and what is said about its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import get_terminal_size
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, NoReturn

import click

from app.cli.errors import Interrupted
from app.cli.exit_codes import code_of_status
from app.cli.options import command_line, emit_json
from app.cli.progress import watching
from app.cli.screen import BAD, GOOD, NAME, QUIET, WARN, Line, crop, tell
from app.cli.streams import emit, inert, is_terminal, note, stdout
from app.cli.texts import count, duration, error_text, short_task, usage_text
from app.cli.waiting_text import waiting_lines
from app.db.base import TaskRow
from app.errors import LeaseHeld, ModelError, PlanNotClean
from app.history.commits import one_line
from app.plan.model import Json
from app.services.explain import explain_run
from app.services.reports import Revised, RunReport
from app.services.run_reports import is_scripted
from app.services.runs import RunOptions, run_branch
from app.services.workplace import Workplace
from app.vm.events import Listener, StopRequested
from app.vm.interrupts import Interrupts
from app.vm.scheduler import WIDTH

_SECONDS_BETWEEN_WARNINGS: Final = 15.0
_GOAL_CHARACTERS: Final = 400
_WORTH_TRYING: Final = {
    "completed": {
        "show": "the plan, each step's state, the variables",
        "log": "one line a commit",
        "replay": "run it again from the records, and compare",
    },
    "failed": {"show": "the plan, each step's state, the variables"},
    "paused": {"resume": "go on from here"},
}
"""How a run ended → the commands worth trying next."""


parallel_option = click.option(
    "--parallel",
    type=click.IntRange(min=1, max=256),
    default=WIDTH,
    show_default=True,
    metavar="N",
    help="How many calls of tools may be under way at once.",
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How much a command says: ``as_json`` one document, ``quiet`` the answer and what needs somebody."""

    as_json: bool = False
    quiet: bool = False

    @property
    def is_silent(self) -> bool:
        """Whether nothing is told on the way."""
        return self.as_json or self.quiet


def run_to_its_end(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    interrupts: Interrupts,
    manner: Manner,
    *,
    max_steps: int | None = None,
    more: Callable[[RunReport], Mapping[str, Any]] = lambda report: {},
    parallel: int = WIDTH,
) -> NoReturn:
    """Run, show how it goes and what came of it, and leave with the exit code of its end.

    ``more`` is what the JSON document holds beside the report.
    """
    if not manner.is_silent:
        tell(head_lines(task, branch))
    started = monotonic()
    with (
        _resumable(task, branch),
        watching(silent=manner.is_silent) as listener,
        _telling_requests(interrupts, listener),
    ):
        on_held = _held_teller(manner)
        options = RunOptions(interrupts, listener, on_held, max_steps, parallel)
        report = run_branch(workplace, task, branch, options)
    end_run(
        report, manner, monotonic() - started, is_scripted=is_scripted(workplace, report), more=more(report)
    )


def end_run(
    report: RunReport,
    manner: Manner,
    seconds: float,
    *,
    is_scripted: bool,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> NoReturn:
    """Say what came of a run, and leave with the exit code of its end."""
    if manner.as_json:
        emit_json({**report.to_json(), **more, **({"scripted": True} if is_scripted else {})})
    else:
        _tell_end(report, manner, seconds)
        if is_scripted and not manner.quiet:
            tell(_scripted_lines())
    raise click.exceptions.Exit(code_of_status(report.status))


def run_revision(
    workplace: Workplace, task: TaskRow, revised: Revised, interrupts: Interrupts, manner: Manner
) -> NoReturn:
    """Run a revision that was just committed; as :func:`run_to_its_end`, and the JSON tells what was reused."""

    def explained(report: RunReport) -> dict[str, Any]:
        _, _, steps = explain_run(workplace, task, report.branch)
        documents = [step.to_json() for step in steps]
        return {
            "fork_point": revised.fork_point,
            "kept": revised.kept,
            "reused": [each for each in documents if each["outcome"] == "reused"],
            "ran": [each for each in documents if each["outcome"] == "ran"],
        }

    run_to_its_end(workplace, task, revised.branch, interrupts, manner, more=explained)


def head_lines(task: TaskRow, branch: str) -> Iterator[Line]:
    """Which task it is, for whoever wants to look at it meanwhile."""
    yield [("task ", QUIET), (task.id, NAME), (f"  branch {branch}", QUIET)]
    if is_terminal(sys.stderr):  # a log has the command that was typed
        yield [("goal ", QUIET), crop(one_line(task.goal, _GOAL_CHARACTERS), get_terminal_size().columns - 5)]


def _scripted_lines() -> Iterator[Line]:
    yield [("scripted", WARN), ": what a model would have said was read from a file, no model was asked"]
    yield ["to ask one, set LLM_PROVIDER, LLM_MODEL and OPENAI_API_KEY in .env; docs/models.md has more"]


@contextmanager
def _telling_requests(interrupts: Interrupts, listener: Listener | None) -> Iterator[None]:
    """Say what the run is asked to do."""
    if listener is not None:
        interrupts.on_asked = lambda asked: listener(StopRequested(asked.request, asked.who))
    try:
        yield
    finally:
        interrupts.on_asked = None


@contextmanager
def _resumable(task: TaskRow, branch: str) -> Iterator[None]:
    """What ends a run before its end says how to go on."""
    resume = command_line("resume", short_task(task.id), *_branch_words(task, branch))
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"`{resume}` goes on", task_id=task.id, branch=branch) from None
    except (PlanNotClean, ModelError) as error:  # no plan came about
        error.hint = "; ".join(filter(None, (error.hint, f"`{resume}` plans again")))
        raise


def _branch_words(task: TaskRow, branch: str) -> list[str]:
    # A run makes its branch the current one; until it has the lease, it has not run.
    return ["--branch", branch] if branch != task.current_branch else []


def _held_teller(manner: Manner) -> Callable[[LeaseHeld], None]:
    """Says at once, and then now and then, for whom we wait."""
    next_time = 0.0

    def tell_held(held: LeaseHeld) -> None:
        nonlocal next_time
        if not manner.is_silent and monotonic() >= next_time:
            next_time = monotonic() + _SECONDS_BETWEEN_WARNINGS
            note(f"{held.message}; waiting for it")

    return tell_held


def emit_value(value: Json) -> None:
    """A value as the answer on stdout: text as it is, though inert at a terminal; anything else as JSON."""
    if isinstance(value, str):
        emit(inert(value) if is_terminal(stdout()) else value)
    else:
        emit_json(value)


def _tell_end(report: RunReport, manner: Manner, seconds: float) -> None:
    if report.status == "completed" and report.final_answer is not None:
        emit_value(report.final_answer)
    if report.status == "paused":
        pass  # an error of before, if any, is not what ended it
    elif report.waiting is not None:
        tell(waiting_lines(report.waiting, report.task_id))
    elif report.error is not None:
        _tell_error(report, report.error)
    if not manner.quiet:
        tell(_end_lines(report, seconds))


def _tell_error(report: RunReport, error: Mapping[str, Json]) -> None:
    text = error_text(error)
    note(f"error: {text}")
    resume = command_line("resume", short_task(report.task_id))
    if report.status == "cancelled":
        note(
            f"hint: `{command_line('fork', short_task(report.task_id), report.head[:10])}` goes on from there"
        )
    elif text.startswith("limit reached: steps"):
        note(f"hint: `{resume} --max-steps N` raises the limit and goes on")
    elif not text.startswith("limit reached"):
        note(f"hint: `{resume}` tries the step again")


def _end_lines(report: RunReport, seconds: float) -> Iterator[Line]:
    marks = {
        "completed": ("✓ completed", GOOD),
        "waiting": ("? waiting", "yellow"),
        "paused": ("‖ paused", "yellow"),
    }
    mark = marks.get(report.status, (f"✗ {report.status}", BAD))
    no_answer = "  no final_answer" if report.status == "completed" and report.final_answer is None else ""
    place = f"  {short_task(report.task_id)} {report.branch}  {count(report.steps, 'step')}"
    yield [mark, f"{place}  {duration(seconds)}{no_answer}"]
    if report.usage["model_calls"]:
        yield [(f"  {usage_text(report.usage)}", QUIET)]
    task = short_task(report.task_id)
    commands = {
        command_line(word, task): meaning for word, meaning in _WORTH_TRYING.get(report.status, {}).items()
    }
    wide = max(map(len, commands), default=0)
    for command, meaning in commands.items():
        yield [f"  {command:<{wide}}", (f"  {meaning}", QUIET)]
