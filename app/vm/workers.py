"""Where attempts run that the caller must be able to walk away from: daemon threads, and one event loop.

Python can't stop a thread. So a thread that overruns is abandoned: nobody waits for it, its late result is
dropped, and it ends when its function does, or with the process, whose exit it never delays. (The threads
of ``concurrent.futures`` are joined at exit, which is why they are not used here.)
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeAlias

Reply: TypeAlias = SimpleQueue[tuple[int, Any]]
"""Takes ``(ticket, what the attempt gave)`` when an attempt ends that nobody abandoned."""

_MAX_ABANDONED: Final = 256
_STUCK_LOOP_SECONDS: Final = 1.0


class NoWorker(Exception):
    """No thread can be had: the attempt was not begun."""


class Flight(Protocol):
    """An attempt under way elsewhere."""

    def cancel(self) -> bool:
        """Ask it to end. True if it will say so itself soon, false if nothing more is to be heard of it."""

    def abandon(self) -> None:
        """Nothing more of it is wanted."""


class Workers:
    """Threads that are kept for the next attempt, as many as were ever needed at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._abandoned = 0
        self._loop: _LoopThread | None = None

    def start(self, ticket: int, run: Callable[[], Any], reply: Reply) -> Flight:
        """Call ``run`` (which must not raise) in a thread. Raises ``NoWorker``."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
            if worker is None and self._abandoned >= _MAX_ABANDONED:
                raise NoWorker(f"{self._abandoned} calls that overran their timeout are still running")
        flight = _ThreadFlight(self, ticket, run, reply)
        if worker is None:
            worker = _Worker(self)
            try:
                worker.thread.start()
            except RuntimeError as error:
                raise NoWorker(str(error)) from None
        worker.inbox.put(flight)
        return flight

    def start_async(self, ticket: int, run: Callable[[], Coroutine[Any, Any, Any]], reply: Reply) -> Flight:
        """Run a coroutine (which must not raise) on the event loop's thread. Raises ``NoWorker``."""
        if self._loop is None or self._loop.is_stuck():
            try:
                # Tasks on a stuck loop are left to it: they go on if it ever does.
                self._loop = _LoopThread()
            except RuntimeError as error:
                raise NoWorker(str(error)) from None
        flight = _TaskFlight(self._loop, ticket, run, reply)
        self._loop.post(flight.begin)
        return flight

    def close(self) -> None:
        """Let idle threads and the event loop end."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.inbox.put(None)
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def finish(self, worker: _Worker, flight: _ThreadFlight, result: Any) -> bool:
        """A thread's attempt is over; whether the thread is still wanted."""
        with self._lock:
            flight.over = True
            if flight.abandoned:
                self._abandoned -= 1
                return False
            self._idle.append(worker)
        # Idle first: who gets the reply may have the next attempt at hand at once.
        flight.reply.put((flight.ticket, result))
        return True

    def abandon(self, flight: _ThreadFlight) -> None:
        """Don't wait for this attempt; its thread is replaced when one is needed."""
        with self._lock:
            if not flight.over and not flight.abandoned:
                flight.abandoned = True
                self._abandoned += 1


class _ThreadFlight:
    __slots__ = ("_workers", "abandoned", "context", "over", "reply", "run", "ticket")

    def __init__(self, workers: Workers, ticket: int, run: Callable[[], Any], reply: Reply) -> None:
        self._workers = workers
        self.ticket = ticket
        self.run = run
        self.reply = reply
        self.context = contextvars.copy_context()
        self.abandoned = False
        self.over = False

    def cancel(self) -> bool:
        return False

    def abandon(self) -> None:
        self._workers.abandon(self)


class _Worker:
    """One thread with its inbox."""

    def __init__(self, workers: Workers) -> None:
        self.inbox: SimpleQueue[_ThreadFlight | None] = SimpleQueue()
        self._workers = workers
        self.thread = threading.Thread(target=self._work, name="stackvm-tool", daemon=True)

    def _work(self) -> None:
        while (flight := self.inbox.get()) is not None:
            result = flight.context.run(flight.run)
            if not self._workers.finish(self, flight, result):
                return
            del flight, result  # an idle thread must not keep the last call's data alive


class _TaskFlight:
    """An attempt as a task. Its fields belong to the loop's thread once it was posted."""

    def __init__(
        self, loop: _LoopThread, ticket: int, run: Callable[[], Coroutine[Any, Any, Any]], reply: Reply
    ) -> None:
        self._loop = loop
        self._ticket = ticket
        self._run = run
        self._reply = reply
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[Any] | None = None
        self._abandoned = False

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), context=self._context)
        self._task.add_done_callback(self._done)

    def cancel(self) -> bool:
        self._loop.post(self._cancel_task)
        return True

    def abandon(self) -> None:
        self._abandoned = True
        self._loop.suspect = True
        self._loop.post(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        # A task cancelled before its first line never ran; its coroutine could not answer for itself.
        result = None if task.cancelled() else task.result()
        if not self._abandoned:
            self._reply.put((self._ticket, result))


class _LoopThread:
    """An event loop in a daemon thread. ``suspect``: a task did not end when it was asked to."""

    def __init__(self) -> None:
        self.suspect = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="stackvm-async-tools", daemon=True)
        self._thread.start()

    def post(self, action: Callable[[], object]) -> None:
        """Call ``action`` in the loop's thread, soon."""
        # A loop that was closed has nothing left to do.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action)

    def is_stuck(self) -> bool:
        """Whether a tool that blocks keeps the loop from its other work. Asked only of a suspect one."""
        if not self.suspect:
            return False
        answered = threading.Event()
        self.post(answered.set)
        self.suspect = not answered.wait(_STUCK_LOOP_SECONDS)
        return self.suspect

    def close(self) -> None:
        """Cancel what runs and end the thread. Does not wait."""
        self.post(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            self._loop.close()
