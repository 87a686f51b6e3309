"""What a run is asked to do from outside: pause at the next step boundary, be cancelled, or stop at once.

Ctrl-C (or SIGTERM) once asks for a pause: the step under way is finished and committed. Twice stops at once, which
never tears: it acts only while something is awaited, or between two steps. ``stackvm pause`` and ``cancel`` reach the
run through whoever holds its lease.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType
from typing import Final

from app.db.base import Request
from app.db.waiting import waits_end_when

CANCEL_GRACE_SECONDS: Final = 3.0
"""How long a tool that was told to end may take before the run goes on without it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. ``who`` asked; ``None``: a signal to this process."""

    request: Request
    who: str | None = None


class StopAsked(Exception):
    """Raised by :meth:`Interrupts.check_asked`: the run is to pause, or to be cancelled."""


class _Waiting(Enum):
    """What a first Ctrl-C meets: nothing that it may end, an effect worth waiting for, or mere waiting."""

    NOT = auto()
    FOR_EFFECT = auto()
    IDLY = auto()


class Interrupts:
    """What somebody asked this process's run to do. ``on_asked`` is told, in a thread of its own."""

    def __init__(self, on_asked: Callable[[Asked], None] | None = None) -> None:
        self.asked: Asked | None = None
        """What is to be done at the next step boundary."""
        self.now = False
        """Whether to stop without waiting for that."""
        self.on_asked = on_asked
        self._waiting = _Waiting.NOT
        self._cancels: list[Callable[[], None]] = []
        self._has_signals = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the run is to be cancelled."""
        return self.asked is not None and self.asked.request == "cancel"

    @property
    def reaches_tools(self) -> bool:
        """Whether a tool that runs in this very thread can be ended: by a signal, which only the main thread gets."""
        return threading.current_thread() is threading.main_thread()

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` if the run is to stop at once."""
        if self.now:
            raise KeyboardInterrupt

    def check_asked(self) -> None:
        """Raise :class:`StopAsked` if the run is to pause or to be cancelled, as :meth:`check` if at once."""
        self.check()
        if self.asked is not None:
            raise StopAsked

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Within, nothing is done but wait: any request raises ``KeyboardInterrupt`` at once."""
        with self._awaiting(_Waiting.IDLY):
            yield

    @contextmanager
    def awaiting_effect(self) -> Iterator[None]:
        """Within, an effect is under way that is worth its end: only what is to stop at once raises."""
        with self._awaiting(_Waiting.FOR_EFFECT):
            yield

    @contextmanager
    def _awaiting(self, waiting: _Waiting) -> Iterator[None]:
        self._waiting = waiting
        try:
            self._raise_if_due()
            yield
        finally:
            self._waiting = _Waiting.NOT

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within :meth:`awaiting`: something is being written, a request waits until that is done."""
        before = self._waiting
        self._waiting = _Waiting.NOT
        try:
            yield
        finally:
            self._waiting = before
        self._raise_if_due()

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Within, ``cancel`` is called when the run is cancelled, in whatever thread that comes from."""
        self._cancels.append(cancel)
        try:
            if self.is_cancelled:
                cancel()
            yield
        finally:
            self._cancels.remove(cancel)

    def stop_now(self) -> None:
        """Have the run stop at once; from any thread."""
        self.now = True

    def ask(self, asked: Asked) -> None:
        """Ask for a pause or a cancellation; from any thread. A pause does not undo a cancellation."""
        if self.is_cancelled or self.asked == asked:
            return
        self.asked = asked
        if asked.request == "cancel":
            for cancel in list(self._cancels):
                cancel()
            self._end_what_does_not_heed()
        self._tell(asked)

    @contextmanager
    def from_signals(self) -> Iterator[Interrupts]:
        """SIGINT and SIGTERM ask while the context lasts. No change outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = [signal.signal(number, self._on_signal) for number in numbers]
        self._has_signals = True
        try:
            # Where a database is waited for, who asks a second time won't wait.
            with waits_end_when(lambda: self.now):
                yield self
        finally:
            self._has_signals = False
            for number, handler in zip(numbers, previous, strict=True):
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None and self._waiting is not _Waiting.IDLY:
            self.ask(Asked("pause"))
            return
        self.now = True
        if self._waiting is not _Waiting.NOT:
            raise KeyboardInterrupt

    def _raise_if_due(self) -> None:
        if self.now and self._waiting is not _Waiting.NOT:
            raise KeyboardInterrupt
        if self.asked is not None and self._waiting is _Waiting.IDLY:
            raise KeyboardInterrupt

    def _end_what_does_not_heed(self) -> None:
        """A tool in the main thread that knows no cancellation can be ended by a signal alone."""
        if self._has_signals:
            main = threading.main_thread().ident
            assert main is not None

            def end() -> None:
                if self._has_signals and self._waiting is _Waiting.FOR_EFFECT:
                    signal.pthread_kill(main, signal.SIGINT)

            timer = threading.Timer(CANCEL_GRACE_SECONDS, end)
            timer.daemon = True
            timer.start()

    def _tell(self, asked: Asked) -> None:
        if self.on_asked is not None:
            # Not here: a signal may have come amid the very writing that telling does.
            threading.Thread(target=self.on_asked, args=(asked,), daemon=True, name="asked").start()
