"""Streams as the hub has them: who watches what, from where, and how it is written down."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from app.api.connections import Connection
from app.db.feed import TaskRead
from app.history.repository import Repository
from app.services.changes import Changes, TaskEvent, find_changes, position_of
from app.services.feeds import Feeds, ListPosition, look_at_tasks
from app.services.positions import Position

RETRY_MS: Final = 1_000
"""After how long a browser comes again."""

HEARTBEAT: Final = b": \n\n"
_PAGE_BYTES: Final = 64 * 1024
"""What is old is written down only as far as the client takes it."""


def event_bytes(kind: str, data: Any, event_id: str | None = None) -> bytes:
    """One event of the text/event-stream format. The data is one line of JSON."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return head.encode() + b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


class Stream:
    """One client's. ``connection`` is set before the hub gets it."""

    connection: Connection

    def __init__(self, opened: float) -> None:
        self.opened = opened
        self._pending: deque[Iterator[bytes]] = deque()
        self.is_over = False
        """Everything is said: it ends when what is pending is sent."""

    def tell(self, parts: Iterable[bytes]) -> None:
        """Say this after what is pending. Lazily made parts are made when the client takes them."""
        self._pending.append(iter(parts))

    def pump(self) -> bool:
        """Send some of what the client takes. ``False``: the stream is at its end, or its client."""
        page = bytearray()
        while self.is_eager and len(page) < _PAGE_BYTES:
            for part in self._pending[0]:
                page += part
                if len(page) >= _PAGE_BYTES:
                    break
            else:
                self._pending.popleft()
        if page and not self.connection.send(bytes(page)):
            return False
        return not (self.is_over and not self._pending and self.connection.is_drained)

    @property
    def is_behind(self) -> bool:
        """Whether there is more to send than was taken."""
        return bool(self._pending)

    @property
    def is_eager(self) -> bool:
        """Whether the client would take more at once."""
        return bool(self._pending) and self.connection.waiting_bytes < _PAGE_BYTES

    @property
    def is_hopeless(self) -> bool:
        """Whether so much is pending that the client will not catch up."""
        return len(self._pending) > 1_000


class TaskStream(Stream):
    """Of one task. ``position``: how far the client will have been told when what is pending is sent."""

    def __init__(self, opened: float, task_id: str, position: Position) -> None:
        super().__init__(opened)
        self.task_id = task_id
        self.position = position

    def hear(self, news: News) -> None:
        """Something happened in the task."""
        self.tell(news.parts)

    def end(self) -> None:
        """The task was deleted."""
        self.tell([event_bytes("deleted", {"task_id": self.task_id})])
        self.is_over = True


class ListStream(Stream):
    """Of the list of tasks, of one namespace or of all."""

    def __init__(self, opened: float, namespace: str | None, position: ListPosition) -> None:
        super().__init__(opened)
        self.namespace = namespace
        self.position = position


class News:
    """What happened in a task between two looks, for all its streams: written down once.

    ``live`` is what is under way by branch, where that changed. ``is_at_rest``: nobody runs it, or should.
    """

    def __init__(
        self, events: Sequence[TaskEvent], live: dict[str, Any] | None, is_at_rest: bool = False
    ) -> None:
        self.events = events
        self.is_at_rest = is_at_rest
        self.live = live
        self._parts: list[bytes] | None = None

    @property
    def parts(self) -> list[bytes]:
        """As a stream of events."""
        if self._parts is None:
            self._parts = [task_event_bytes(event) for event in self.events]
            if self.live is not None:
                self._parts.append(event_bytes("live", {"branches": self.live}))
        return self._parts


def task_event_bytes(event: TaskEvent) -> bytes:
    """An event with its position."""
    return event_bytes(event.kind, event.data, event.position.to_text())


class Watched:
    """A task that somebody watches."""

    def __init__(self, task_id: str, seen: TaskRead) -> None:
        self.task_id = task_id
        self.seen = seen
        self.live: dict[str, str] = {}
        self.streams: set[TaskStream] = set()
        self.newcomers: list[TaskStream] = []

    def look(self, feeds: Feeds, seen: TaskRead, live: dict[str, str]) -> None:
        """Tell everybody what is new. Raises ``StorageError``; nobody was told anything then."""
        fresh_live = live if live != self.live else None
        events = []
        if seen != self.seen:
            repository = feeds.repository(seen.row)
            events = list(find_changes(position_of(self.seen), seen, repository).events(repository))
        if events or fresh_live is not None or at_rest(seen) != at_rest(self.seen):
            news = News(events, _parsed(fresh_live), at_rest(seen))
            for stream in self.streams:
                stream.hear(news)
                stream.position = position_of(seen)
        self._welcome(feeds, seen, live)
        self.seen, self.live = seen, live

    def _welcome(self, feeds: Feeds, seen: TaskRead, live: dict[str, str]) -> None:
        """What happened while they came, and what is under way."""
        if not self.newcomers:
            return
        repository = feeds.repository(seen.row)
        for stream in self.newcomers:
            events = list(find_changes(stream.position, seen, repository).events(repository))
            stream.hear(News(events, _parsed(live), at_rest(seen)))
            stream.position = position_of(seen)
            self.streams.add(stream)
        self.newcomers.clear()


def at_rest(seen: TaskRead) -> bool:
    """Whether nobody runs the task, and nobody is to."""
    return not seen.has_job and seen.row.status not in ("queued", "planning", "running")


def _parsed(live: dict[str, str] | None) -> dict[str, Any] | None:
    return None if live is None else {branch: orjson.loads(data) for branch, data in sorted(live.items())}


def old_events(changes: Changes, repository: Repository) -> Iterator[bytes]:
    """What happened before the client came, written down as it takes it."""
    for event in changes.events(repository):
        yield task_event_bytes(event)


def look_at_list(feeds: Feeds, streams: Iterable[ListStream]) -> None:
    """Tell the watchers of the list what changed: a query a namespace, and those at one place are told as one."""
    by_namespace: dict[str | None, list[ListStream]] = defaultdict(list)
    for stream in streams:
        by_namespace[stream.namespace].append(stream)
    for namespace, together in by_namespace.items():
        seen = look_at_tasks(feeds, min(stream.position.since_ms for stream in together), namespace)
        places: dict[ListPosition, tuple[list[bytes], ListPosition]] = {}
        for stream in together:
            before = stream.position
            if before not in places:
                events, after = before.take(seen)
                written = [event_bytes(each.kind, each.data, each.position.to_text()) for each in events]
                places[before] = (written, after)
            parts, stream.position = places[before]
            if parts:
                stream.tell(parts)
