"""Ctrl-C that never tears: a request is noted, and acts only while an effect is awaited or between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.db.waiting import waits_end_when


class Interrupts:
    """Whether somebody asked this process to stop the run."""

    def __init__(self) -> None:
        self.requested = False
        self._signals = 0
        self._may_raise = False

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` if a stop was asked for."""
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Within, a request raises at once, except where :meth:`held` keeps it back."""
        self._may_raise = True
        try:
            self.check()
            yield
        finally:
            self._may_raise = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within :meth:`awaiting`: something is being written, a request waits until that is done."""
        might = self._may_raise
        self._may_raise = False
        try:
            yield
        finally:
            self._may_raise = might
        if might:
            self.check()

    def request(self) -> None:
        """Ask for a stop; from any thread."""
        self.requested = True

    @contextmanager
    def from_signals(self) -> Iterator[Interrupts]:
        """SIGINT and SIGTERM ask for a stop while the context lasts. No change outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = [signal.signal(number, self._on_signal) for number in numbers]
        try:
            # Where a database is waited for, who asks a second time won't wait.
            with waits_end_when(lambda: self._signals > 1):
                yield self
        finally:
            for number, handler in zip(numbers, previous, strict=True):
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._signals += 1
        if self._may_raise:
            raise KeyboardInterrupt
