"""Gets calls of tools done: validated, within their timeout, repeated where their effect class allows it.

A single call of a plain function without a timeout runs in the caller's own thread: nothing is faster,
and Ctrl-C reaches the tool itself. All else runs beside it (:mod:`app.vm.workers`).

What may be repeated: any failed attempt of a ``pure``, ``read`` or ``write`` tool; of an ``irreversible``
one only an attempt that raised ``NotPerformed``. Never repeated: arguments that don't fit, a result JSON
can't hold.
"""

from __future__ import annotations

import contextvars
import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from app.tools.context import Cancellation
from app.vm.attempts import Attempted, CallWatcher, attempt, make_context
from app.vm.calls import (
    MAX_RESULT_BYTES,
    AttemptHooks,
    Call,
    CallError,
    CallProgress,
    CallState,
    ErrorKind,
    Outcome,
)
from app.vm.rounds import Round, Surroundings
from app.vm.workers import Workers

__all__ = [
    "MAX_RESULT_BYTES",
    "AttemptHooks",
    "Call",
    "CallError",
    "CallState",
    "ErrorKind",
    "Outcome",
    "Performer",
]

WIDTH: Final = 8
"""How many items of a ``for_each`` are under way at once."""


def wall_clock_ms() -> int:
    """Now, in whole milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _spread() -> float:
    return random.uniform(0.5, 1.0)


class Performer:
    """Performs the calls of one run. To be used by one thread at a time; closed when the run ends.

    ``cancellation`` ends the run's calls when it is asked for (from any thread); Ctrl-C asks for it.
    ``jitter`` gives the factor by which a backoff is multiplied. ``watcher`` is told of progress, in
    the tool's thread. ``workers`` may be shared between performers, and is closed only by its owner.
    """

    def __init__(
        self,
        *,
        cancellation: Cancellation | None = None,
        clock: Callable[[], int] = wall_clock_ms,
        jitter: Callable[[], float] = _spread,
        watcher: CallWatcher | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.cancellation = cancellation or Cancellation()
        self._clock = clock
        self._jitter = jitter
        self._watcher = watcher
        self._workers = workers or Workers()
        self._owns_workers = workers is None

    def __enter__(self) -> Performer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads end. Waits for none."""
        if self._owns_workers:
            self._workers.close()

    def perform(self, call: Call, hooks: AttemptHooks | None = None) -> Outcome:
        """Make one call and return what became of it; errors of the tool are part of the outcome.

        Raises only what a hook raises, and ``KeyboardInterrupt``.
        """
        progress = CallProgress(call, hooks, self._clock)
        if self.cancellation.requested:
            return progress.stop()
        if call.timeout is None and not call.tool.is_async:
            return self._perform_here(progress)
        outcomes: list[Outcome] = []
        self._round(iter([(0, progress)]), 1, lambda _, outcome: outcomes.append(outcome))
        return outcomes[0] if outcomes else progress.stop()

    def perform_many(
        self,
        calls: Iterable[Call],
        on_outcome: Callable[[int, Outcome], bool | None],
        *,
        width: int = WIDTH,
        hooks: AttemptHooks | None = None,
    ) -> None:
        """Make the calls, ``width`` at once, and hand over each outcome as it comes, with the call's index.

        ``calls`` is read only as far as there is room. ``on_outcome`` is called in this thread; where it
        returns ``False`` no further call is started, and those under way still end and are handed over.
        As soon as a call of an ``irreversible`` tool is among them, one runs after the other.
        A cancelled run starts no more: calls that were never begun have no outcome.
        """
        following = iter(calls)
        first = next(following, None)
        if first is None:
            return
        # A for_each calls one tool, so the first call speaks for all.
        at_once = 1 if first.tool.effect == "irreversible" else max(1, width)
        begun = (
            (index, CallProgress(call, hooks, self._clock)) for index, call in _numbered(first, following)
        )
        self._round(begun, at_once, on_outcome)

    def _round(
        self,
        calls: Iterator[tuple[int, CallProgress]],
        width: int,
        deliver: Callable[[int, Outcome], bool | None],
    ) -> None:
        around = Surroundings(self.cancellation, self._workers, self._watcher, self._pause)
        Round(calls, width, around, deliver).run()

    def _perform_here(self, progress: CallProgress) -> Outcome:
        while True:
            arguments = progress.begin()
            if isinstance(arguments, Outcome):
                return arguments
            outcome = progress.conclude(*self._attempt_here(progress.call, arguments))
            if outcome is not None:
                return outcome
            if self._wait(self._pause(progress)):
                return progress.stop()

    def _attempt_here(self, call: Call, arguments: dict[str, Any]) -> Attempted:
        if call.tool.context_parameter is not None:
            arguments[call.tool.context_parameter] = make_context(call, self.cancellation, self._watcher)
        try:
            # A context of its own: what the tool sets in it does not leak into the machine.
            return contextvars.copy_context().run(attempt, call, arguments, interruptible=True)
        except KeyboardInterrupt:
            self.cancellation.request()
            raise

    def _wait(self, seconds: float) -> bool:
        try:
            return self.cancellation.wait(seconds)
        except KeyboardInterrupt:
            self.cancellation.request()
            raise

    def _pause(self, progress: CallProgress) -> float:
        return progress.delay(self._jitter())


def _numbered(first: Call, following: Iterator[Call]) -> Iterator[tuple[int, Call]]:
    return enumerate(chain((first,), following))
