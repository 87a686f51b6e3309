"""A line at the terminal that counts while long work goes on; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Final, Protocol

from app.cli.streams import is_terminal

_SECONDS_BETWEEN: Final = 0.2
_ERASE: Final = "\r\x1b[K"


class Tell(Protocol):
    """Shows how far the work is."""

    def __call__(self, text: str) -> None:
        """Take the newest line; returns at once, never raises."""


@contextmanager
def counting(*, silent: bool) -> Iterator[Tell]:
    """Shows the newest line on stderr, some times a second, and takes it away at the end."""
    if silent or not is_terminal(sys.stderr):
        yield lambda text: None
        return
    shown_at = monotonic()
    is_shown = False

    def tell(text: str) -> None:
        nonlocal shown_at, is_shown
        if monotonic() - shown_at >= _SECONDS_BETWEEN:
            shown_at, is_shown = monotonic(), True
            _write(_ERASE + text)

    try:
        yield tell
    finally:
        if is_shown:
            _write(_ERASE)


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
