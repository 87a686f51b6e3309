"""Which lines match a regular expression, within a time that nothing can exceed.

Python's matcher can take exponential time, and neither a thread nor Ctrl-C gets a word in while it does.
Only a pattern without repeats and branches is safe here; any other is matched by this very file, run as a
child process that can be killed. It needs the standard library only, so it starts in hundredths of a second.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

MAX_PATTERN: Final = 1_000
MAX_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_RISKY: Final = re.compile(r"[*+?{}|()\[\]]")

MAX_LINE: Final = 1_000

Found = list[tuple[int, int, str]]
"""The text's index, the line's number from 1, and the line, cut after ``MAX_LINE`` characters."""


def lines_of(text: str) -> list[str]:
    """The lines, without their ends (``\\n`` or ``\\r\\n``); a last newline begins no further line."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def matching_lines(pattern: str, texts: Sequence[str], limit: int) -> Found:
    """The first ``limit`` lines in which the pattern is found. Raises ``re.error``."""
    search = re.compile(pattern).search
    found: Found = []
    for index, text in enumerate(texts):
        for number, line in enumerate(lines_of(text), 1):
            if search(line):
                found.append((index, number, line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…"))
                if len(found) >= limit:
                    return found
    return found


def find_lines(
    pattern: str,
    texts: Sequence[str],
    limit: int,
    check: Callable[[], None],
    max_seconds: float = MAX_SECONDS,
) -> Found:
    """:func:`matching_lines`, at most ``max_seconds`` long. ``check`` is called often and may raise.

    Raises ``ValueError`` for what is no regular expression, ``TimeoutError`` for one that takes too long.
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN:,} characters")
    check()
    if _RISKY.search(pattern):
        answer = _ask_child(pattern, texts, limit, check, max_seconds)
    else:
        answer = _answer(pattern, texts, limit)
    if isinstance(answer, str):
        raise ValueError(f"{pattern!r} is no regular expression: {answer}")
    return answer


def _ask_child(
    pattern: str, texts: Sequence[str], limit: int, check: Callable[[], None], max_seconds: float
) -> Found | str:
    question: bytes | None = json.dumps([pattern, list(texts), limit, max_seconds]).encode()
    ends = time.monotonic() + max_seconds
    command = [sys.executable, "-I", "-S", __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            while True:
                try:
                    answer, _ = child.communicate(question, timeout=_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    question = None  # the first call keeps what is left to be sent
                check()
                if time.monotonic() > ends:
                    raise _too_slow(pattern, max_seconds)
        finally:
            child.kill()
    if not answer:
        raise _too_slow(pattern, max_seconds)
    decoded = json.loads(answer)
    return decoded if isinstance(decoded, str) else [(index, number, line) for index, number, line in decoded]


def _too_slow(pattern: str, max_seconds: float) -> TimeoutError:
    return TimeoutError(
        f"pattern {pattern!r} takes more than {max_seconds:g} s; "
        "a repeat within a repeat, such as (a+)+, takes exponential time"
    )


def _answer(pattern: str, texts: Sequence[str], limit: int) -> Found | str:
    try:
        return matching_lines(pattern, texts, limit)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)


def _main() -> None:
    pattern, texts, limit, max_seconds = json.load(sys.stdin.buffer)
    if hasattr(signal, "alarm"):
        # Should the parent be killed meanwhile, nobody else would end a match that never ends.
        signal.alarm(int(max_seconds) + 2)
    json.dump(_answer(pattern, texts, limit), sys.stdout)


if __name__ == "__main__":
    _main()
