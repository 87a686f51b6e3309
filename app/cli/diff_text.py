"""A difference for a person: by step, by variable, or as git shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.cli.screen import ID, NAME, QUIET, Line
from app.cli.texts import preview, short_commit
from app.history.commits import Commit, one_line
from app.plan.diff import ABSENT, PlanDiff, StepDiff
from app.plan.model import Calling, Json, Step
from app.services.diffs import Difference

_ADDED: Final = "green"
_REMOVED: Final = "red"
_CHANGED: Final = "yellow"
_MARKS: Final = {
    "added": ("+", _ADDED),
    "removed": ("-", _REMOVED),
    "changed": ("~", _CHANGED),
    "moved": (">", _CHANGED),
}
_VALUE_CHARACTERS: Final = 160
_SHORT_CHARACTERS: Final = 60
_TEXT_STYLES: Final = (
    ("diff ", NAME),
    ("index ", NAME),
    ("--- ", NAME),
    ("+++ ", NAME),
    ("@@", "cyan"),
    ("+", _ADDED),
    ("-", _REMOVED),
)


def difference_lines(difference: Difference, level: str | None) -> Iterator[Line]:
    """One level, or without one the plan and the state."""
    if level == "text":
        yield from _text(difference.text)
        return
    yield _revision("from", difference.old)
    yield _revision("to  ", difference.new)
    if level in (None, "plan"):
        yield from _plan(difference.plan)
    if level in (None, "state"):
        yield from _state(difference)


def _revision(word: str, commit: Commit) -> Line:
    return [(f"{word} ", QUIET), (short_commit(commit.id), ID), f" {one_line(commit.subject, 100)}"]


def _plan(plan: PlanDiff) -> Iterator[Line]:
    yield []
    yield [("plan", NAME), ("" if not plan.is_empty else "  the same", QUIET)]
    for change in plan.changes:
        yield from _change("  ", change.path, change.old, change.new)
    for step in plan.steps:
        if step.kind != "unchanged":
            yield from _step(step)


def _step(difference: StepDiff) -> Iterator[Line]:
    step = difference.new or difference.old
    assert step is not None
    mark, style = _MARKS[difference.kind]
    was = difference.old.seq_no if difference.old is not None else step.seq_no
    before = f" (was {was})" if was != step.seq_no else ""
    yield [(f"  {mark} step {step.seq_no} {_name(step)}", style), (before, QUIET), f"  {difference.kind}"]
    if difference.old is None or difference.new is None:
        yield [(f"      {preview(dict(step.parameters), _VALUE_CHARACTERS)}", QUIET)]
    for change in difference.changes:
        yield from _change("      ", change.path, change.old, change.new)


def _name(step: Step) -> str:
    return step.instruction.tool_name if isinstance(step.instruction, Calling) else step.type


def _state(difference: Difference) -> Iterator[Line]:
    same = not difference.variables and not difference.control
    yield []
    yield [("state", NAME), ("  the same" if same else "", QUIET)]
    for name, (old, new) in difference.control.items():
        yield from _change("  ", name, ABSENT if old is None else old, ABSENT if new is None else new)
    for variable in difference.variables:
        mark, style = _MARKS[variable.change]
        old = ABSENT if variable.change == "added" else variable.old
        new = ABSENT if variable.change == "removed" else variable.new
        yield from _change("  ", f"{mark} {variable.name}", old, new, style)


def _change(indent: str, path: str, old: Json, new: Json, style: str = "") -> Iterator[Line]:
    """On one line where that is short enough, else what was and what is on a line each."""
    was, is_now = (None if value is ABSENT else preview(value, _VALUE_CHARACTERS) for value in (old, new))
    if len(was or "") + len(is_now or "") <= _SHORT_CHARACTERS:
        yield [f"{indent}", (path, style), "  ", (was or "", _REMOVED), " → ", (is_now or "", _ADDED)]
        return
    yield [f"{indent}", (path, style)]
    if was is not None:
        yield [(f"{indent}  - {was}", _REMOVED)]
    if is_now is not None:
        yield [(f"{indent}  + {is_now}", _ADDED)]


def _text(text: str) -> Iterator[Line]:
    for line in text.removesuffix("\n").split("\n"):
        style = next((style for start, style in _TEXT_STYLES if line.startswith(start)), "")
        yield [(line, style)]
