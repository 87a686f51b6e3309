"""Calls side by side: as many attempts under way as the width allows, all else in the caller's thread.

The caller's thread starts attempts, watches their deadlines, and runs the hooks; only the tools run
elsewhere. So whatever the hooks write to needs no lock, and Ctrl-C meets a thread that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final

from app.plan.model import Json
from app.tools.context import Cancellation
from app.vm.attempts import CallWatcher, attempt, attempt_async, make_context, timeout_error
from app.vm.calls import Call, CallError, CallProgress, Outcome
from app.vm.workers import Flight, NoWorker, Reply, Workers

_POLL_SECONDS: Final = 0.2
"""How late a cancellation that another thread asked for may be noticed."""
_GRACE_SECONDS: Final = 1.0
"""How long a task that was told to end may clean up before nobody listens any more."""
_CANCEL_GRACE_SECONDS: Final = 3.0
"""How long attempts may still end by themselves when the run is cancelled: what they give is then known."""

_CANCELLED: Final = CallError("cancelled", "the call was cancelled")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all calls of a performer share. ``pause``: the seconds before a call's next attempt."""

    cancellation: Cancellation
    workers: Workers
    watcher: CallWatcher | None
    pause: Callable[[CallProgress], float]


@dataclass(slots=True)
class _Attempt:
    """An attempt under way. ``overdue`` is its error once ``deadline`` has passed; ``verdict`` that error
    when it was told to end: then its own result counts no more."""

    index: int
    progress: CallProgress
    flight: Flight
    cancellation: Cancellation | None
    deadline: float
    overdue: CallError
    verdict: CallError | None = None


class Round:
    """Some calls, from the first attempt of the first to the last outcome."""

    def __init__(
        self,
        calls: Iterator[tuple[int, CallProgress]],
        width: int,
        surroundings: Surroundings,
        deliver: Callable[[int, Outcome], bool | None],
    ) -> None:
        self._calls = calls
        self._width = width
        self._around = surroundings
        self._deliver = deliver
        self._open = True
        self._stopping = False
        self._reply: Reply = SimpleQueue()
        self._tickets = 0
        self._attempts: dict[int, _Attempt] = {}
        self._resting: list[tuple[float, int, CallProgress]] = []

    def run(self) -> None:
        """Return when every call that was begun has its outcome. What a hook raises passes through."""
        try:
            while self._fill():
                self._settle_next()
        except KeyboardInterrupt:
            self._around.cancellation.request()
            raise
        finally:
            for attempt_ in self._attempts.values():
                self._give_up(attempt_)

    def _fill(self) -> bool:
        """Start what may start; whether anything is left to wait for."""
        if self._around.cancellation.requested and not self._stopping:
            self._stop()
        self._wake_resting()
        while self._open and len(self._attempts) + len(self._resting) < self._width:
            following = next(self._calls, None)
            if following is None:
                self._open = False
            else:
                self._start(*following)
        return bool(self._attempts or self._resting)

    def _start(self, index: int, progress: CallProgress) -> None:
        arguments = progress.begin()
        if isinstance(arguments, Outcome):
            self._finish(index, arguments)
            return
        call = progress.call
        cancellation = self._add_context(call, arguments)
        self._tickets += 1
        try:
            flight = self._launch(call, arguments)
        except NoWorker as error:
            self._conclude(index, progress, None, CallError("not_performed", f"{call.tool.name}: {error}"))
            return
        deadline = inf if call.timeout is None else monotonic() + call.timeout
        overdue = _CANCELLED if call.timeout is None else timeout_error(call)
        self._attempts[self._tickets] = _Attempt(index, progress, flight, cancellation, deadline, overdue)

    def _launch(self, call: Call, arguments: dict[str, Any]) -> Flight:
        workers = self._around.workers
        if call.tool.is_async:
            return workers.start_async(self._tickets, lambda: attempt_async(call, arguments), self._reply)
        return workers.start(self._tickets, lambda: attempt(call, arguments), self._reply)

    def _add_context(self, call: Call, arguments: dict[str, Any]) -> Cancellation | None:
        """Fill in the tool's context, with a cancellation of this attempt's own: it may have to end alone."""
        name = call.tool.context_parameter
        if name is None:
            return None
        cancellation = Cancellation(self._around.cancellation)
        arguments[name] = make_context(call, cancellation, self._around.watcher)
        return cancellation

    def _settle_next(self) -> None:
        """Wait for the next thing to happen, and see it through."""
        try:
            ticket, given = self._reply.get(timeout=self._seconds_to_wait())
        except Empty:
            self._enforce_deadlines()
            return
        ended = self._attempts.pop(ticket, None)
        # Nothing under that ticket: it overran, and its answer was on the way when it was given up.
        if ended is not None:
            value, error = given or (None, _CANCELLED)
            if ended.verdict is not None:
                value, error = None, ended.verdict
            self._conclude(ended.index, ended.progress, value, error)

    def _seconds_to_wait(self) -> float:
        ends = [attempt_.deadline for attempt_ in self._attempts.values()]
        ends += [when for when, _, _ in self._resting]
        return max(0.0, min(_POLL_SECONDS, min(ends) - monotonic()))

    def _enforce_deadlines(self) -> None:
        now = monotonic()
        for ticket, overdue in list(self._attempts.items()):
            if overdue.deadline > now:
                continue
            if overdue.verdict is None:
                self._tell_to_end(overdue)
                if overdue.deadline > now:
                    continue
            del self._attempts[ticket]
            self._give_up(overdue)
            self._conclude(overdue.index, overdue.progress, None, overdue.verdict)

    def _tell_to_end(self, attempt_: _Attempt) -> None:
        attempt_.verdict = attempt_.overdue
        if attempt_.cancellation is not None:
            attempt_.cancellation.request()
        if attempt_.flight.cancel():
            attempt_.deadline = monotonic() + _GRACE_SECONDS

    def _give_up(self, attempt_: _Attempt) -> None:
        if attempt_.cancellation is not None:
            attempt_.cancellation.request()
        attempt_.flight.abandon()

    def _stop(self) -> None:
        """The run was cancelled: nothing more starts, and what is under way has a little time to end."""
        self._open, self._stopping = False, True
        soon = monotonic() + _CANCEL_GRACE_SECONDS
        for running in self._attempts.values():
            if running.progress.call.tool.is_async:
                running.flight.cancel()
            if running.deadline > soon:
                running.deadline, running.overdue = soon, _CANCELLED
        resting, self._resting = self._resting, []
        for _, index, progress in resting:
            self._finish(index, progress.stop())

    def _wake_resting(self) -> None:
        now = monotonic()
        due = sorted(entry for entry in self._resting if entry[0] <= now)
        if due:
            self._resting = [entry for entry in self._resting if entry[0] > now]
            for _, index, progress in due:
                self._start(index, progress)

    def _conclude(self, index: int, progress: CallProgress, value: Json, error: CallError | None) -> None:
        outcome = progress.conclude(value, error)
        if outcome is None and self._stopping:
            outcome = progress.stop()
        if outcome is None:
            self._resting.append((monotonic() + self._around.pause(progress), index, progress))
        else:
            self._finish(index, outcome)

    def _finish(self, index: int, outcome: Outcome) -> None:
        if self._deliver(index, outcome) is False:
            self._open = False
