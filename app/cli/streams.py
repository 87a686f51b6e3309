"""The standard streams: UTF-8 whatever the locale, and stdout for nothing but our own output.

Tools print, and so do the programs they start. While a command runs, both end up on stderr; what a script
reads from stdout is the answer or the JSON document alone.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Final, TextIO

_ours: TextIO | None = None

# All that moves the cursor, changes colours or the direction of writing; line ends and tabs stay.
_ACTIVE: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]"
)


def use_utf8() -> None:
    """Write UTF-8, and escape what even that can't hold, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


@contextmanager
def stdout_is_ours() -> Iterator[None]:
    """Within, :func:`emit` alone writes to stdout; all else that is printed goes to stderr."""
    global _ours
    if _ours is not None:
        yield
        return
    is_process = sys.stdout is not None and sys.stdout is sys.__stdout__
    _ours = _split_off(sys.stdout) if is_process else sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        # A thread that was given up may still print when the command is over: the process's own
        # descriptor stays where it points now.
        if not is_process:
            _ours = None


def _split_off(stdout: TextIO) -> TextIO:
    """stdout under a descriptor of its own; descriptor 1 is stderr's from now on."""
    stdout.flush()
    private = os.dup(1)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no stderr
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
    return open(private, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


def stdout() -> TextIO | None:
    """Where our output goes; ``None`` where the process was started without."""
    return _ours if _ours is not None else sys.stdout


def emit(text: str) -> None:
    """Write to stdout, ending with a newline. Raises ``OSError`` where that can't be done."""
    emit_lines([text.removesuffix("\n")])


def emit_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout as they come. Raises ``OSError`` where that can't be done."""
    stream = stdout()
    if stream is None:
        return
    for line in lines:
        stream.write(line + "\n")
    stream.flush()


def inert(text: str) -> str:
    """Text that does nothing to a terminal but appear: what models, tools and files say may try more."""
    return _ACTIVE.sub("\N{REPLACEMENT CHARACTER}", text)


def note(text: str) -> None:
    """Write a line to stderr, made inert. Never fails: what is said there is worth no exception."""
    write_note(inert(text))


def write_note(text: str) -> None:
    """Write a line to stderr as it is: it is our own, with colours. Never fails."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def forget_stdout() -> None:
    """The reader is gone: let the interpreter flush what is left into nothing."""
    for stream in (stdout(), sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
            os.close(nowhere)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at the stream."""
    with suppress(ValueError):  # closed
        return stream is not None and stream.isatty()
    return False
