"""Writers of one SQLite file take turns.

SQLite has whoever finds the file locked sleep, ever longer up to 100 ms, while others pass: with two processes that
write all the time one in twenty waits for 60 ms where the median waits for 3. Here, threads queue at a lock, and
processes at two locks of a file beside the database: at the gate, and at the turn itself. Who has had its turn finds
the one who waits for it at the gate, and can't pass.

Nothing depends on it: a turn that can't be had in time is done without, as SQLite's own lock decides.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path
from typing import Final

_PAUSE_SECONDS: Final = 0.0005
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


class Turns:
    """The turns of one process's threads, each after waiting ``seconds`` at most. ``file`` is the database's."""

    def __init__(self, file: Path, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._threads = threading.Lock()
        self._descriptors: tuple[int, int] | None = None

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Within the block it is ours, or there was no having it."""
        deadline = time.monotonic() + self._seconds
        if not self._threads.acquire(timeout=self._seconds):
            yield
            return
        try:
            with self._turn(deadline):
                yield
        finally:
            self._threads.release()

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[None]:
        """Among processes."""
        gate, turn = self._open() or (None, None)
        if gate is None or turn is None:
            yield
            return
        has_gate = _lock(gate, deadline)
        has_turn = _lock(turn, deadline)
        if has_gate:
            flock(gate, LOCK_UN)
        try:
            yield
        finally:
            if has_turn:
                flock(turn, LOCK_UN)

    def close(self) -> None:
        """Let go of the files, where nobody has a turn: who has one needs them."""
        if self._threads.acquire(blocking=False):
            descriptors, self._descriptors = self._descriptors, None
            for each in descriptors or ():
                os.close(each)
            self._threads.release()

    def _open(self) -> tuple[int, int] | None:
        """``None`` in a folder that can't be written; SQLite will say so."""
        if self._descriptors is None:
            with suppress(OSError):
                gate = os.open(f"{self._file}-gate", _FLAGS, 0o644)
                turn = os.open(f"{self._file}-turn", _FLAGS, 0o644)
                self._descriptors = gate, turn
        return self._descriptors


def _lock(descriptor: int, deadline: float) -> bool:
    while True:
        with suppress(BlockingIOError):
            flock(descriptor, LOCK_EX | LOCK_NB)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
