"""A difference for a person: by step, by variable, or as git shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.cli.change_text import ADDED, MARKS, REMOVED, change_lines, variable_lines
from app.cli.runs_text import end_lines, run_lines
from app.cli.screen import ID, NAME, QUIET, Line
from app.cli.texts import preview, short_commit
from app.history.commits import Commit, one_line
from app.plan.diff import ABSENT, PlanDiff, StepDiff
from app.plan.model import Calling, Step
from app.services.diffs import Difference, StateDiff

HUMAN_LEVELS: Final = ("plan", "state", "runs")
"""What a person is shown where no level is asked for."""

_VALUE_CHARACTERS: Final = 160
_TEXT_STYLES: Final = (
    ("diff ", NAME),
    ("index ", NAME),
    ("--- ", NAME),
    ("+++ ", NAME),
    ("@@", "cyan"),
    ("+", ADDED),
    ("-", REMOVED),
)


def difference_lines(difference: Difference) -> Iterator[Line]:
    """The levels that were asked for, each behind its name; a text alone, as git shows it."""
    if difference.text is not None:
        yield from _text(difference.text)
        return
    yield _revision("from", difference.old)
    yield _revision("to  ", difference.new)
    if difference.plan is not None:
        yield from _plan(difference.plan)
    if difference.runs is not None:
        yield from run_lines(difference.runs)
    if difference.state is not None:
        yield from _state(difference.state)
    elif difference.runs is not None:
        yield from end_lines(difference.runs)


def _revision(word: str, commit: Commit) -> Line:
    return [(f"{word} ", QUIET), (short_commit(commit.id), ID), f" {one_line(commit.subject, 100)}"]


def _plan(plan: PlanDiff) -> Iterator[Line]:
    yield []
    yield [("plan", NAME), ("" if not plan.is_empty else "  the same", QUIET)]
    for change in plan.changes:
        yield from change_lines("  ", change.path, change.old, change.new)
    for step in plan.steps:
        if step.kind != "unchanged":
            yield from _step(step)


def _step(difference: StepDiff) -> Iterator[Line]:
    step = difference.new or difference.old
    assert step is not None
    mark, style = MARKS[difference.kind]
    was = difference.old.seq_no if difference.old is not None else step.seq_no
    before = f" (was {was})" if was != step.seq_no else ""
    yield [(f"  {mark} step {step.seq_no} {_name(step)}", style), (before, QUIET), f"  {difference.kind}"]
    if difference.old is None or difference.new is None:
        yield [(f"      {preview(dict(step.parameters), _VALUE_CHARACTERS)}", QUIET)]
    for change in difference.changes:
        yield from change_lines("      ", change.path, change.old, change.new)


def _name(step: Step) -> str:
    return step.instruction.tool_name if isinstance(step.instruction, Calling) else step.type


def _state(state: StateDiff) -> Iterator[Line]:
    same = not state.variables and not state.control
    yield []
    yield [("state", NAME), ("  the same" if same else "", QUIET)]
    for name, (old, new) in state.control.items():
        yield from change_lines("  ", name, ABSENT if old is None else old, ABSENT if new is None else new)
    yield from variable_lines(state.variables)


def _text(text: str) -> Iterator[Line]:
    for line in text.removesuffix("\n").split("\n"):
        style = next((style for start, style in _TEXT_STYLES if line.startswith(start)), "")
        yield [(line, style)]
