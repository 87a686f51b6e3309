"""Calls side by side: begun one by one while others are under way, each handed over when it ends.

The thread that owns a round starts attempts, watches their deadlines, and runs the hooks; only the tools run
elsewhere. So whatever the hooks write to needs no lock, and Ctrl-C meets a thread that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, TypeAlias

from app.plan.model import Json
from app.tools.context import Cancellation
from app.vm.attempts import CallWatcher, attempt, attempt_async, make_context, timeout_error
from app.vm.calls import AttemptHooks, Call, CallError, CallProgress, Outcome
from app.vm.events import Listener
from app.vm.workers import Flight, NoWorker, Reply, Workers

_POLL_SECONDS: Final = 0.2
"""How late a cancellation that another thread asked for may be noticed."""
_GRACE_SECONDS: Final = 1.0
"""How long a task that was told to end may clean up before nobody listens any more."""
_LAST_GRACE_SECONDS: Final = 3.0
"""How long attempts may still end by themselves when the run ends: what they give is then known."""

_CANCELLED: Final = CallError("cancelled", "the call was cancelled")

Deliver: TypeAlias = Callable[[Outcome], None]
"""Takes the outcome of a call, in the round's thread."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all calls of a performer share. ``pause``: the seconds before a call's next attempt. ``listener`` is
    told of attempts."""

    cancellation: Cancellation
    workers: Workers
    watcher: CallWatcher | None
    clock: Callable[[], int]
    pause: Callable[[CallProgress], float]
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class _Begun:
    """A call on its way, and who gets its outcome."""

    progress: CallProgress
    deliver: Deliver


@dataclass(slots=True)
class _Attempt:
    """An attempt under way. ``overdue`` is its error once ``deadline`` has passed; ``verdict`` that error
    when it was told to end: then its own result counts no more."""

    begun: _Begun
    flight: Flight
    cancellation: Cancellation | None
    deadline: float
    overdue: CallError
    verdict: CallError | None = None


class Round:
    """Calls under way. Owned by one thread; closed when nothing more is wanted of them.

    Who starts calls then does ``wait`` and ``settle`` in turn until it has what it wants. Only ``wait`` blocks, and
    it changes nothing that an interrupt could leave half-done.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._stopping = False
        self._reply: Reply = SimpleQueue()
        self._heard: deque[tuple[int, Any]] = deque()
        self._tickets = 0
        self._attempts: dict[int, _Attempt] = {}
        self._resting: list[tuple[float, int, _Begun]] = []

    @property
    def under_way(self) -> int:
        """How many calls were begun and not handed over; those that wait for their next attempt count."""
        return len(self._attempts) + len(self._resting)

    @property
    def has_news(self) -> bool:
        """Whether an attempt has ended that is not settled."""
        return bool(self._heard) or not self._reply.empty()

    def start(self, call: Call, hooks: AttemptHooks | None, deliver: Deliver) -> None:
        """Begin a call; ``deliver`` gets its outcome, now if it comes to no attempt. Passes on what a hook raises."""
        begun = _Begun(CallProgress(call, hooks, self._around.clock, self._around.listener), deliver)
        if self._stopping or self._around.cancellation.requested:
            deliver(begun.progress.stop())
        else:
            self._attempt(begun)

    def wait(self, at_most: float = inf) -> None:
        """Until something happened or might have, or ``at_most`` so many seconds."""
        if self.under_way and not self._heard:
            try:
                self._heard.append(self._reply.get(timeout=self._seconds_to_wait(at_most)))
            except Empty:
                return

    def settle(self) -> None:
        """See through whatever happened: hand over outcomes, begin further attempts. Passes on what a hook raises."""
        while not self._reply.empty():
            self._heard.append(self._reply.get())
        while self._heard:
            self._ended(*self._heard.popleft())
        if self._around.cancellation.requested:
            self.stop(at_once=True)
        self._enforce_deadlines()
        self._wake_resting()

    def stop(self, *, at_once: bool = False) -> None:
        """Nothing more is begun or repeated, and what is under way has a few seconds to end.

        ``at_once``: attempts were told to end, or are told now; without, they don't know.
        """
        if self._stopping:
            return
        self._stopping = True
        soon = monotonic() + _LAST_GRACE_SECONDS
        for running in self._attempts.values():
            if at_once and running.begun.progress.call.tool.is_async:
                running.flight.cancel()
            if running.deadline > soon:
                running.deadline, running.overdue = soon, _CANCELLED
        resting, self._resting = self._resting, []
        for _, _, begun in resting:
            begun.deliver(begun.progress.stop())

    def close(self) -> None:
        """Give up what is still under way: nobody hears of it any more."""
        for running in self._attempts.values():
            self._give_up(running)
        self._attempts.clear()
        self._resting.clear()

    def _attempt(self, begun: _Begun) -> None:
        arguments = begun.progress.begin()
        if isinstance(arguments, Outcome):
            begun.deliver(arguments)
            return
        call = begun.progress.call
        cancellation = self._add_context(call, arguments)
        self._tickets += 1
        try:
            flight = self._launch(call, arguments)
        except NoWorker as error:
            self._conclude(begun, None, CallError("not_performed", f"{call.tool.name}: {error}"))
            return
        deadline = inf if call.timeout is None else monotonic() + call.timeout
        overdue = _CANCELLED if call.timeout is None else timeout_error(call)
        self._attempts[self._tickets] = _Attempt(begun, flight, cancellation, deadline, overdue)

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

    def _seconds_to_wait(self, at_most: float) -> float:
        ends = [running.deadline for running in self._attempts.values()]
        ends += [when for when, _, _ in self._resting]
        return max(0.0, min(_POLL_SECONDS, at_most, min(ends) - monotonic()))

    def _ended(self, ticket: int, given: Any) -> None:
        running = self._attempts.pop(ticket, None)
        # Nothing under that ticket: it overran, and its answer was on the way when it was given up.
        if running is not None:
            value, error = given or (None, _CANCELLED)
            if running.verdict is not None:
                value, error = None, running.verdict
            self._conclude(running.begun, value, error)

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
            self._conclude(overdue.begun, None, overdue.verdict)

    def _tell_to_end(self, running: _Attempt) -> None:
        running.verdict = running.overdue
        if running.cancellation is not None:
            running.cancellation.request()
        if running.flight.cancel():
            running.deadline = monotonic() + _GRACE_SECONDS

    def _give_up(self, running: _Attempt) -> None:
        if running.cancellation is not None:
            running.cancellation.request()
        running.flight.abandon()

    def _wake_resting(self) -> None:
        now = monotonic()
        due = sorted(entry for entry in self._resting if entry[0] <= now)
        if due:
            self._resting = [entry for entry in self._resting if entry[0] > now]
            for _, _, begun in due:
                self._attempt(begun)

    def _conclude(self, begun: _Begun, value: Json, error: CallError | None) -> None:
        outcome = begun.progress.conclude(value, error)
        if outcome is None and self._stopping:
            outcome = begun.progress.stop()
        if outcome is None:
            when = monotonic() + self._around.pause(begun.progress)
            self._tickets += 1
            self._resting.append((when, self._tickets, begun))
        else:
            begun.deliver(outcome)
