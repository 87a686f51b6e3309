"""What watchers are told of tasks: looked up for all of them at once, with few histories open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from app.db.base import TaskRow
from app.db.feed import UNDER_WAY, Deletion, FeedTable, TaskRead
from app.errors import InputError, NotFound
from app.history.repository import Repository
from app.services.positions import pack, unpack
from app.services.tasks import task_document
from app.services.workplace import Workplace
from app.vm.state import PAUSED

_OPEN: Final = 32
"""Histories kept open: each may hold the commits of a few seconds in memory."""

SQL: Final = "sql"

WINDOW_MS: Final = 10_000
"""A change of the list may be seen so much later than its time says: another clock, a transaction that waited."""

_MOST: Final = 500
"""Changes of the list that are told at once; of more, the oldest are passed over."""

_MARK_BYTES: Final = 6


class Feeds:
    """Reads for those who watch. Safe to share between threads."""

    def __init__(self, workplace: Workplace, table: FeedTable) -> None:
        self._workplace = workplace
        self.table = table
        self._open: OrderedDict[str, Repository] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, task_ids: Sequence[str]) -> dict[str, TaskRead]:
        """The tasks that are there. Raises ``StorageError``."""
        found = self.table.read(task_ids)
        for task_id, seen in list(found.items()):
            if seen.row.store == SQL:
                continue
            try:
                heads = self.repository(seen.row).branches()
            except NotFound:  # deleted meanwhile
                del found[task_id]
            else:
                found[task_id] = replace(seen, heads=heads)
        return {task_id: self._as_it_stands(seen) for task_id, seen in found.items()}

    def _as_it_stands(self, seen: TaskRead) -> TaskRead:
        """As :func:`app.services.leases.standing` says it: what runs has somebody who runs it."""
        gone = {
            name: replace(branch, status=PAUSED)
            for name, branch in seen.branches.items()
            if branch.status in UNDER_WAY and self._is_abandoned(seen.holders.get(name))
        }
        row = seen.row
        if row.current_branch in gone and row.status in UNDER_WAY:
            row = replace(row, status=PAUSED)
        # Who holds a lease is no news.
        return replace(seen, row=row, branches={**seen.branches, **gone}, holders={})

    def _is_abandoned(self, holder: str | None) -> bool:
        return holder is None or self._workplace.presence.is_dead(holder)

    def standing(self, rows: Sequence[TaskRow]) -> list[TaskRow]:
        """The rows, each with the status as it is."""
        under_way = [row.id for row in rows if row.status in UNDER_WAY]
        if not under_way:
            return list(rows)
        held = self.table.holders(under_way)
        doubtful = [
            row.id
            for row in rows
            if row.status in UNDER_WAY and self._is_abandoned(held.get((row.id, row.current_branch)))
        ]
        # It may have ended since: then its row says so by now.
        seen = self.read(doubtful) if doubtful else {}
        return [seen[row.id].row if row.id in seen else row for row in rows]

    def read_one(self, task: TaskRow) -> TaskRead:
        """One task. Raises ``NotFound`` where it is gone."""
        found = self.read([task.id]).get(task.id)
        if found is None:
            raise NotFound("task", task.id)
        return found

    def repository(self, task: TaskRow) -> Repository:
        """The task's history, opened once for all who read it. Raises ``NotFound``."""
        with self._lock:
            found = self._open.get(task.id)
            if found is not None:
                self._open.move_to_end(task.id)
                return found
        opened = Repository(self._workplace.stores[task.store].open(task.id))
        with self._lock:
            self._open[task.id] = opened
            if len(self._open) > _OPEN:
                # Somebody may be reading it still: what it holds goes when the last reader does.
                self._open.popitem(last=False)
        return opened

    def forget(self, task_id: str) -> None:
        """Nobody watches the task any more, or nothing goes on there."""
        with self._lock:
            self._open.pop(task_id, None)


class ListRead(NamedTuple):
    """What a look at the list saw, each the oldest first."""

    rows: Sequence[TaskRow]
    deletions: Sequence[Deletion]


class ListEvent(NamedTuple):
    """``kind`` is ``tasks`` or ``deleted``; ``position`` is that of whoever has been told it."""

    kind: str
    data: dict[str, Any]
    position: ListPosition


@dataclass(frozen=True, slots=True)
class ListPosition:
    """How far somebody has been told of the list: a time, and marks of what was told since.

    Rows are committed later than their time says, so each look goes back by a window, and leaves out what was told.
    """

    since_ms: int
    told: frozenset[bytes] = frozenset()

    def take(self, seen: ListRead) -> tuple[list[ListEvent], ListPosition]:
        """Of what is seen, what was not told, and the position after it."""
        times = [(row.updated_ms, _mark(row)) for row in seen.rows]
        times += [(each.at_ms, _mark(each)) for each in seen.deletions]
        times = [(at_ms, mark) for at_ms, mark in times if at_ms >= self.since_ms]
        rows = [row for row in seen.rows if row.updated_ms >= self.since_ms and _mark(row) not in self.told]
        gone = [
            each for each in seen.deletions if each.at_ms >= self.since_ms and _mark(each) not in self.told
        ]
        if not rows and not gone:
            return [], self
        since = max(self.since_ms, max(at_ms for at_ms, _ in times) - WINDOW_MS)
        if len(seen.rows) >= _MOST:
            since = max(since, seen.rows[0].updated_ms)
        after = ListPosition(since, frozenset(mark for at_ms, mark in times if at_ms >= since))
        events = []
        # Until the last of them is told, no time has passed: who is cut off between gets the rest.
        told = self.told | {_mark(row) for row in rows}
        if rows:
            documents = {"tasks": [task_document(row) for row in rows]}
            events.append(ListEvent("tasks", documents, ListPosition(self.since_ms, told)))
        for each in gone:
            told |= {_mark(each)}
            events.append(ListEvent("deleted", {"task_id": each.task_id}, ListPosition(self.since_ms, told)))
        events[-1] = events[-1]._replace(position=after)
        return events, after

    def to_text(self) -> str | None:
        """As an event id."""
        marks = b"".join(sorted(self.told)).hex()
        return pack({"s": self.since_ms, "m": marks})


def read_list_position(text: str) -> ListPosition:
    """The position that :meth:`ListPosition.to_text` gave. Raises ``InputError``."""
    document = unpack(text)
    with suppress(KeyError, TypeError, ValueError):
        marks, since = bytes.fromhex(document["m"]), document["s"]
        if isinstance(since, int) and 0 <= since < 1 << 62 and len(marks) % _MARK_BYTES == 0:
            starts = range(0, len(marks), _MARK_BYTES)
            return ListPosition(since, frozenset(marks[start : start + _MARK_BYTES] for start in starts))
    raise InputError("this is no event id of the list's", hint="send the id of an event as it came, or none")


def look_at_tasks(feeds: Feeds, since_ms: int, namespace: str | None) -> ListRead:
    """The tasks that changed since then, the oldest change first; of very many, the newest."""
    return ListRead(
        feeds.standing(feeds.table.changed(since_ms, namespace, _MOST)),
        feeds.table.deleted(since_ms, namespace),
    )


def list_end(feeds: Feeds, namespace: str | None) -> ListPosition:
    """The position of whoever has just read the list."""
    newest = [row.updated_ms for row in feeds.table.changed(0, namespace, 1)]
    newest += [each.at_ms for each in feeds.table.deleted(0, namespace)[-1:]]
    since = max(0, max(newest, default=0) - WINDOW_MS)
    return ListPosition(since).take(look_at_tasks(feeds, since, namespace))[1]


def _mark(row: TaskRow | Deletion) -> bytes:
    """What tells this version of this task, or this deletion, from every other."""
    return blake2b(repr(row).encode(errors="replace"), digest_size=_MARK_BYTES).digest()
