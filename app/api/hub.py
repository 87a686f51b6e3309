"""One thread a process that looks for news and writes to all streams: none waits for a client or a query.

Several times a second it asks for all watched tasks at once, and hands what is new to everybody who watches. A client
that goes away, or can't keep up, is dropped; it comes again with the id of its last event. Without streams nothing
is asked.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from app.api.connections import SocketConnection
from app.api.problems import Problem
from app.api.streams import HEARTBEAT, ListStream, Stream, TaskStream, Watched, look_at_list
from app.db.feed import TaskRead
from app.errors import StackVMError
from app.log_fields import tell
from app.services.feeds import Feeds

LOOK_SECONDS: Final = 0.15
"""How late news is, at most, beside the time a look takes."""

HEARTBEAT_SECONDS: Final = 15.0
LIFETIME_SECONDS: Final = 900.0
"""Then a client must come again: a key may have been revoked."""

MAX_STREAMS: Final = 2_000
_TROUBLE_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class Hub:
    """All streams of a process. Its thread starts with the first of them."""

    def __init__(
        self,
        feeds: Feeds,
        *,
        most: int = MAX_STREAMS,
        lifetime_seconds: float = LIFETIME_SECONDS,
        on_count: Callable[[int], None] | None = None,
    ) -> None:
        self.feeds = feeds
        self._most = most
        self._lifetime = lifetime_seconds
        self._on_count = on_count
        self._lock = threading.Lock()
        self._newcomers: list[tuple[Stream, TaskRead | None]] = []
        self._streams: set[Stream] = set()
        self._eager: set[Stream] = set()
        self._watched: dict[str, Watched] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False

    def check_room(self) -> None:
        """Raise a ``Problem`` where there are as many streams as there may be."""
        if self.count >= self._most:
            problem = Problem(429, "too-many-streams", f"{self.count:,} streams are open", "try again in 5 s")
            problem.headers["Retry-After"] = "5"
            raise problem

    @property
    def count(self) -> int:
        """How many streams there are."""
        return len(self._streams) + len(self._newcomers)

    def add(self, stream: Stream, seen: TaskRead | None = None) -> None:
        """Take a stream over. ``seen``: its task, as the stream's position has it."""
        with self._lock:
            if self._stopping:
                stream.connection.close()
                return
            self._newcomers.append((stream, seen))
            if self._thread is None:
                self._open()
                self._thread = threading.Thread(target=self._run, daemon=True, name="streams")
                self._thread.start()
        self._wake()

    def stop(self) -> None:
        """End all streams: their clients come again, to another process."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        if thread is not None:
            self._wake()
            thread.join(5.0)

    def _say_count(self) -> None:
        if self._on_count is not None:
            self._on_count(len(self._streams))

    def _open(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake
            self._waker.send(b"!")

    def _run(self) -> None:
        look = beat = monotonic()
        while not self._stopping:
            self._wait(look)
            self._admit()
            # A page each, in turn: a long history for one must not hold up the news of all.
            for stream in list(self._eager):
                self._pump(stream)
            now = monotonic()
            if now >= look and self._streams:
                look = now + (LOOK_SECONDS if self._look() else _TROUBLE_SECONDS)
            if now >= beat + HEARTBEAT_SECONDS:
                beat = now
                self._beat(now)
        self._admit()
        for stream in list(self._streams):
            self._drop(stream)
        self._selector.close()
        self._waker.close()
        self._woken.close()

    def _wait(self, until: float) -> None:
        """For clients that can take more, or go, or come."""
        # Beyond a look's time nobody is waited for; without streams, for somebody to come.
        seconds = max(0.0, until - monotonic()) if self._streams else None
        if self._eager:
            seconds = 0.0
        for key, _ in self._selector.select(seconds):
            stream = key.data
            if stream is None:
                with suppress(OSError):
                    while self._woken.recv(4096):
                        pass
            elif isinstance(stream, Stream) and stream in self._streams:
                self._serve(stream)

    def _serve(self, stream: Stream) -> None:
        connection = stream.connection
        if isinstance(connection, SocketConnection) and (connection.is_gone() or not connection.flush()):
            self._drop(stream)
        else:
            self._pump(stream)

    def _admit(self) -> None:
        with self._lock:
            newcomers, self._newcomers = self._newcomers, []
        for stream, seen in newcomers:
            self._streams.add(stream)
            if isinstance(stream.connection, SocketConnection):
                self._selector.register(stream.connection.socket, selectors.EVENT_READ, stream)
            if isinstance(stream, TaskStream) and seen is not None:
                watched = self._watched.setdefault(stream.task_id, Watched(stream.task_id, seen))
                watched.newcomers.append(stream)
            self._pump(stream)
        if newcomers:
            self._say_count()

    def _look(self) -> bool:
        """``False``: something is in the way, and it should be a while until the next look."""
        try:
            for stream in self._hearers():
                self._pump(stream)
        except StackVMError as error:
            tell(logger, logging.WARNING, "news.unreadable", f"no news can be read: {error}")
            return False
        except Exception:
            logger.exception("a look for news failed by a fault of ours", extra={"event": "news.fault"})
            return False
        return True

    def _hearers(self) -> Iterator[Stream]:
        """Look, and give all that have something to send."""
        ids = list(self._watched)
        if ids:
            found = self.feeds.read(ids)
            live = self.feeds.table.live(ids)
            for task_id in ids:
                self._look_at(task_id, found.get(task_id), live.get(task_id, {}))
        look_at_list(self.feeds, [stream for stream in self._streams if isinstance(stream, ListStream)])
        yield from [stream for stream in self._streams if stream.is_behind]

    def _look_at(self, task_id: str, seen: TaskRead | None, live: dict[str, str]) -> None:
        watched = self._watched[task_id]
        if seen is not None:
            try:
                watched.look(self.feeds, seen, live)
                return
            except StackVMError as error:
                tell(logger, logging.WARNING, "stream.unreadable", str(error), task_id=task_id)
            except Exception:
                logger.exception(
                    "task %s can't be watched by a fault of ours", task_id, extra={"event": "stream.fault"}
                )
            # One damaged history must not silence all others. Its clients come again, with their ids.
            for stream in [*watched.streams, *watched.newcomers]:
                self._drop(stream)
            return
        for stream in [*watched.streams, *watched.newcomers]:
            stream.end()
        del self._watched[task_id]
        self.feeds.forget(task_id)

    def _pump(self, stream: Stream) -> None:
        try:
            goes_on = stream.pump() and not stream.is_hopeless
        except Exception:
            logger.exception("a stream ended by a fault of ours", extra={"event": "stream.fault"})
            goes_on = False
        if not goes_on:
            self._drop(stream)
            return
        if stream.is_eager:
            self._eager.add(stream)
        else:
            self._eager.discard(stream)
        if isinstance(stream.connection, SocketConnection):
            waits = stream.connection.waiting_bytes > 0
            interest = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
            if self._selector.get_key(stream.connection.socket).events != interest:
                self._selector.modify(stream.connection.socket, interest, stream)

    def _beat(self, now: float) -> None:
        """Something for those to whom nothing is said, so that a client that is gone is noticed."""
        for stream in list(self._streams):
            if now - stream.opened > self._lifetime and not stream.is_behind:
                self._drop(stream)
            elif not stream.is_behind:
                stream.tell([HEARTBEAT])
                self._pump(stream)

    def _drop(self, stream: Stream) -> None:
        if stream not in self._streams:
            return
        self._streams.discard(stream)
        self._eager.discard(stream)
        if isinstance(stream.connection, SocketConnection):
            with suppress(KeyError, ValueError):
                self._selector.unregister(stream.connection.socket)
        stream.connection.close()
        self._say_count()
        watched = self._watched.get(stream.task_id) if isinstance(stream, TaskStream) else None
        if watched is not None and isinstance(stream, TaskStream):
            watched.streams.discard(stream)
            if stream in watched.newcomers:
                watched.newcomers.remove(stream)
            if not watched.streams and not watched.newcomers:
                del self._watched[watched.task_id]
                self.feeds.forget(watched.task_id)
