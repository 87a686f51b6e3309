"""One change on a line or two: what was, and what is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.cli.screen import Line, crop, width
from app.cli.texts import kind_and_size, preview
from app.plan.diff import ABSENT
from app.plan.model import Json
from app.services.state_changes import VariableChange

ADDED: Final = "green"
REMOVED: Final = "red"
CHANGED: Final = "yellow"
MARKS: Final = {
    "added": ("+", ADDED),
    "removed": ("-", REMOVED),
    "changed": ("~", CHANGED),
    "moved": (">", CHANGED),
}
_COMPARED_CHARACTERS: Final = 10_000
"""How far two long values are looked through for where they differ."""

_SHORT_CHARACTERS: Final = 60
_CONTEXT_CHARACTERS: Final = 20


def variable_lines(changes: Sequence[VariableChange]) -> Iterator[Line]:
    """A variable a line, with its mark."""
    for variable in changes:
        mark, style = MARKS[variable.change]
        old = ABSENT if variable.change == "added" else variable.old
        new = ABSENT if variable.change == "removed" else variable.new
        yield from change_lines("  ", f"{mark} {variable.name}", old, new, style)


def change_lines(indent: str, path: str, old: Json, new: Json, style: str = "") -> Iterator[Line]:
    """On one line where that is short enough, else what was and what is on a line each."""
    was, is_now = (None if value is ABSENT else preview(value, _COMPARED_CHARACTERS) for value in (old, new))
    if len(was or "") + len(is_now or "") <= _SHORT_CHARACTERS:
        yield [f"{indent}", (path, style), "  ", (was or "", REMOVED), " → ", (is_now or "", ADDED)]
        return
    yield [f"{indent}", (path, style)]
    if was == is_now:
        alike = f"the same in its first {_COMPARED_CHARACTERS:,} characters"
        was, is_now = (f"{kind_and_size(value)}, {alike}" for value in (old, new))
    room = max(_SHORT_CHARACTERS, width() - len(indent) - 4)
    skipped = _alike(was, is_now, room)
    if was is not None:
        yield [(f"{indent}  - {_part(was, skipped, room)}", REMOVED)]
    if is_now is not None:
        yield [(f"{indent}  + {_part(is_now, skipped, room)}", ADDED)]


def _alike(was: str | None, is_now: str | None, room: int) -> int:
    """How much of the beginning is left out, so that where the two differ is on the line."""
    if was is None or is_now is None:
        return 0
    letters = enumerate(zip(was, is_now, strict=False))
    same = next((place for place, (one, other) in letters if one != other), min(len(was), len(is_now)))
    return same - _CONTEXT_CHARACTERS if same > room - _CONTEXT_CHARACTERS else 0


def _part(text: str, skipped: int, room: int) -> str:
    return crop(f"…{text[skipped:]}" if skipped else text, room)
