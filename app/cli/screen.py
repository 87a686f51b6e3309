"""Lines for a person: coloured at a terminal, plain text elsewhere. rich is imported for a terminal only."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

from app.cli.streams import emit_lines, inert, is_terminal, stdout, write_note

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Segment: TypeAlias = str | tuple[str, str]
"""Text, or text and its style in rich's words (``bold red``)."""

Line: TypeAlias = Sequence[Segment]

GOOD: Final = "green"
BAD: Final = "bold red"
WARN: Final = "yellow"
QUIET: Final = "dim"
NAME: Final = "bold"
ID: Final = "yellow"

STATUS_STYLES: Final = {
    "completed": GOOD,
    "failed": BAD,
    "cancelled": BAD,
    "waiting": WARN,
    "paused": WARN,
    "running": "cyan",
}

_WIDE: Final = 100
"""Columns where there is no terminal to ask."""


def show(lines: Iterable[Line]) -> None:
    """Lines to stdout, as they come."""
    emit_lines(_written(lines, stdout()))


def tell(lines: Iterable[Line]) -> None:
    """Lines to stderr. Never fails."""
    for line in _written(lines, sys.stderr):
        write_note(line)


def width() -> int:
    """Columns of the terminal that stdout is."""
    return shutil.get_terminal_size().columns if is_terminal(stdout()) else _WIDE


def plain(line: Line) -> str:
    """A line without its styles."""
    return "".join(part if isinstance(part, str) else part[0] for part in line)


def table(header: Sequence[str], rows: Sequence[Sequence[Segment]]) -> Iterator[Line]:
    """Rows in columns under a header. At a terminal the last column is cut where the line ends."""
    columns = len(header)
    widths = [max([cells(header[i]), *(cells(plain([row[i]])) for row in rows)]) for i in range(columns)]
    room = width() - sum(widths[:-1]) - 2 * (columns - 1) if is_terminal(stdout()) else None
    yield _row([(title, QUIET) for title in header], widths, room)
    for row in rows:
        yield _row(row, widths, room)


def _row(row: Sequence[Segment], widths: Sequence[int], room: int | None) -> Line:
    line: list[Segment] = []
    for segment, wide in zip(row[:-1], widths[:-1], strict=True):
        line += [segment, " " * (wide - cells(plain([segment])) + 2)]
    text, style = row[-1] if isinstance(row[-1], tuple) else (row[-1], "")
    if room is not None:
        text = crop(text, max(room, 8))
    return [*line, (text, style)]


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def crop(text: str, limit: int) -> str:
    """A text that takes at most ``limit`` columns."""
    if cells(text) <= limit:
        return text
    kept, room = 0, limit - 1
    for char in text:
        room -= cells(char)
        if room < 0:
            break
        kept += 1
    return text[:kept] + "…"


def _written(lines: Iterable[Line], stream: TextIO | None) -> Iterator[str]:
    if not is_terminal(stream):
        yield from (inert(plain(line)) for line in lines)
        return
    console, written = _console()
    for line in lines:
        console.print(rich_text(line), soft_wrap=True)
        yield written.getvalue().removesuffix("\n")
        written.seek(0)
        written.truncate()


def _console() -> tuple[Console, StringIO]:
    """A rich console that writes what a terminal would get; it respects NO_COLOR and TERM."""
    from rich.console import Console

    written = StringIO()
    return Console(file=written, force_terminal=True, highlight=False, markup=False, emoji=False), written


def rich_text(line: Line) -> Text:
    """A line for a rich console, made inert."""
    from rich.text import Text

    return Text.assemble(
        *(inert(part) if isinstance(part, str) else (inert(part[0]), part[1]) for part in line)
    )
