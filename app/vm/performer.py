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
from collections.abc import Callable
from typing import Any

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
from app.vm.events import Listener
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


def wall_clock_ms() -> int:
    """Now, in whole milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _spread() -> float:
    return random.uniform(0.5, 1.0)


class Performer:
    """Performs the calls of one run. To be used by one thread at a time; closed when the run ends.

    ``cancellation`` ends the run's calls when it is asked for (from any thread); Ctrl-C asks for it.
    ``jitter`` gives the factor by which a backoff is multiplied. ``watcher`` is told of progress, in
    the tool's thread, ``listener`` of attempts. ``workers`` may be shared between performers, and is
    closed only by its owner.
    ``beside`` has every call run beside the caller's thread: one that no signal reaches must be able to leave it.
    """

    def __init__(
        self,
        *,
        cancellation: Cancellation | None = None,
        clock: Callable[[], int] = wall_clock_ms,
        jitter: Callable[[], float] = _spread,
        watcher: CallWatcher | None = None,
        listener: Listener | None = None,
        workers: Workers | None = None,
        beside: bool = False,
    ) -> None:
        self.cancellation = cancellation or Cancellation()
        self._clock = clock
        self._jitter = jitter
        self._watcher = watcher
        self._listener = listener
        self._workers = workers or Workers()
        self._owns_workers = workers is None
        self._beside = beside

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
        if self._beside or call.timeout is not None or call.tool.is_async:
            return self._perform_beside(call, hooks)
        progress = CallProgress(call, hooks, self._clock, self._listener)
        return progress.stop() if self.cancellation.requested else self._perform_here(progress)

    def open_round(self) -> Round:
        """For calls side by side. Its owner closes it."""
        return Round(
            Surroundings(
                self.cancellation, self._workers, self._watcher, self._clock, self._pause, self._listener
            )
        )

    def _perform_beside(self, call: Call, hooks: AttemptHooks | None) -> Outcome:
        outcomes: list[Outcome] = []
        waiting = self.open_round()
        try:
            waiting.start(call, hooks, outcomes.append)
            while not outcomes:
                waiting.wait()
                waiting.settle()
        except KeyboardInterrupt:
            self.cancellation.request()
            raise
        finally:
            waiting.close()
        return outcomes[0]

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
