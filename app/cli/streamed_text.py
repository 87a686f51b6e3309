"""The end of a text that a model is writing: a few lines that grow and scroll, and never wrap anew."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Final

from app.cli.screen import cells
from app.cli.streams import inert

LINES: Final = 4
_PIECE: Final = re.compile(r"\n|[^\S\n]+|\S+")
_NARROWEST: Final = 8
_CHARACTERS_A_COLUMN: Final = 4
"""At most: marks that take no column of their own would let a line grow for ever."""


class StreamedText:
    """Keeps the last lines. A line stays broken where it was first broken: what stands still is calm to look at."""

    def __init__(self, lines: int = LINES) -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._begins_line = True
        self._indent = ""

    def __bool__(self) -> bool:
        return bool(self._lines)

    def lines(self) -> list[str]:
        """What there is to see, oldest first; each line fits the width it was written for."""
        return list(self._lines)

    def clear(self) -> None:
        """What was said is void."""
        self._lines.clear()
        self._begins_line, self._indent = True, ""

    def add(self, token: str, width: int) -> None:
        """Take in a piece of the text, for lines of ``width`` columns. Empty lines are left out."""
        width = max(width, _NARROWEST)
        most = _CHARACTERS_A_COLUMN * width * (self._lines.maxlen or 1)
        for piece in _PIECE.findall(inert(token[-most:]).replace("\t", "  ")):
            if piece == "\n":
                self._begins_line, self._indent = True, ""
            elif piece.isspace():
                self._add_space(piece, width)
            else:
                self._add_word(piece, width)

    def _add_space(self, space: str, width: int) -> None:
        if self._begins_line:
            self._indent = (self._indent + space)[: width // 2]
        elif _fits(self._lines[-1] + space, width):
            self._lines[-1] += space
        else:
            self._begins_line, self._indent = True, ""

    def _add_word(self, word: str, width: int) -> None:
        line = self._indent if self._begins_line else self._lines[-1]
        if _fits(line + word, width):
            if self._begins_line:
                self._lines.append(line + word)
            else:
                self._lines[-1] = line + word
        else:
            self._lines.extend(_parts(word, width))
        self._begins_line = False


def _fits(text: str, width: int) -> bool:
    return cells(text) <= width and len(text) <= _CHARACTERS_A_COLUMN * width


def _parts(word: str, width: int) -> Iterator[str]:
    """A word in parts that fit a line."""
    part = ""
    for char in word:
        if not _fits(part + char, width):
            yield part
            part = ""
        part += char
    yield part
