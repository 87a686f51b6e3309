"""What those who watch tasks ask for: all watched tasks at once, in a handful of queries; and what is under way."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, and_, delete, func, select

from app.db.base import BranchRow, TaskRow
from app.db.models import DELETED, branches, jobs, leases, live, refs, repositories, tasks
from app.db.removal import TOLD_MS
from app.db.session import Database
from app.db.task_columns import TASK_COLUMNS
from app.db.upsert import insert_replacing

_HEADS: Final = "refs/heads/"
_BRANCH_COLUMNS: Final = tuple(branches.c[name] for name in BranchRow.__dataclass_fields__)
_AT_ONCE: Final = 500
"""So many tasks a query: databases limit how many parameters one has."""

STALE_MS: Final = 10_000
"""What was under way so long ago, and not written anew since, is not: its worker died."""


UNDER_WAY: Final = ("running", "planning")
"""Statuses of what somebody runs, if that process lives."""


class Deletion(NamedTuple):
    """A task that was deleted, at ``at_ms``."""

    task_id: str
    namespace: str | None
    at_ms: int


class LiveRow(NamedTuple):
    """What is under way on a branch: JSON."""

    task_id: str
    branch: str
    data: str


@dataclass(frozen=True, slots=True)
class TaskRead:
    """A task's rows as they were a moment ago. ``heads`` are by branch, empty where the history is no SQL one.

    ``has_job``: a worker has a run of it, or should take one. ``holders``: who holds the leases, by branch.
    """

    row: TaskRow
    branches: Mapping[str, BranchRow]
    heads: Mapping[str, bytes]
    has_job: bool = False
    holders: Mapping[str, str] = field(default_factory=dict)


class FeedTable(Protocol):
    """Reads for watchers, who come again several times a second."""

    def read(self, task_ids: Sequence[str]) -> dict[str, TaskRead]:
        """Those tasks that are there. A status that is seen is never older than the commits before it."""

    def changed(self, since_ms: int, namespace: str | None, limit: int) -> Sequence[TaskRow]:
        """The ``limit`` newest changed tasks of those updated since then, the oldest first; ``None``: of all
        namespaces."""

    def deleted(self, since_ms: int, namespace: str | None) -> Sequence[Deletion]:
        """The tasks that were deleted since then, the oldest deletion first; ``None``: of all namespaces. Those of
        the last hour are known."""

    def holders(self, task_ids: Sequence[str]) -> dict[tuple[str, str], str]:
        """Who holds the leases, by task and branch."""

    def live(self, task_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """What is under way, by task and branch: JSON."""

    def put_live(self, rows: Sequence[LiveRow], gone: Sequence[tuple[str, str]] = ()) -> None:
        """Replace what is under way on some branches; on those of ``gone``, by task and branch, nothing is."""

    def statuses(self) -> dict[str, int]:
        """How many tasks there are of each status."""

    def clear_live(self) -> None:
        """Forget what workers that died left behind."""


class SqlFeed:
    """A :class:`FeedTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, task_ids: Sequence[str]) -> dict[str, TaskRead]:
        found: dict[str, TaskRead] = {}
        for some in _in_parts(task_ids):
            with self._database.read() as connection:
                # In this order: a run's commits are durable before its status changes, and that before its job goes;
                # its lease is held before its status says so, and longer: one of two looks sees it.
                held = _holders(connection, some, self._database.now_ms(connection))
                asking = select(jobs.c.task_id).where(jobs.c.task_id.in_(some)).distinct()
                at_work = set(connection.execute(asking).scalars())
                rows = _rows(connection, some)
                known = _branches(connection, some)
                heads = _heads(connection, some)
                begun = [
                    (task_id, each.name)
                    for task_id, of_task in known.items()
                    for each in of_task.values()
                    if each.status in UNDER_WAY and (task_id, each.name) not in held
                ]
                if begun:
                    held |= _holders(connection, some, self._database.now_ms(connection))
            for row in rows:
                holders = {branch: owner for (task_id, branch), owner in held.items() if task_id == row.id}
                found[row.id] = TaskRead(row, known[row.id], heads[row.id], row.id in at_work, holders)
        return found

    def holders(self, task_ids: Sequence[str]) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for some in _in_parts(task_ids):
            with self._database.read() as connection:
                found |= _holders(connection, some, self._database.now_ms(connection))
        return found

    def changed(self, since_ms: int, namespace: str | None, limit: int) -> Sequence[TaskRow]:
        asking = select(*TASK_COLUMNS).where(tasks.c.updated_ms >= since_ms)
        if namespace is not None:
            asking = asking.where(tasks.c.namespace == namespace)
        newest = asking.order_by(tasks.c.updated_ms.desc(), tasks.c.number.desc()).limit(limit)
        with self._database.read() as connection:
            return [TaskRow(*row) for row in connection.execute(newest)][::-1]

    def deleted(self, since_ms: int, namespace: str | None) -> Sequence[Deletion]:
        asking = select(live.c.task_id, live.c.data).where(live.c.branch == DELETED)
        with self._database.read() as connection:
            rows = connection.execute(asking).all()
        found = [Deletion(task_id, *json.loads(data)) for task_id, data in rows]
        chosen = [each for each in found if each.at_ms >= since_ms and namespace in (None, each.namespace)]
        return sorted(chosen, key=lambda each: (each.at_ms, each.task_id))

    def live(self, task_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for some in _in_parts(task_ids):
            with self._database.read() as connection:
                fresh = and_(
                    live.c.updated_ms > self._database.now_ms(connection) - STALE_MS, live.c.branch != DELETED
                )
                asking = select(live.c.task_id, live.c.branch, live.c.data)
                for task_id, branch, data in connection.execute(
                    asking.where(live.c.task_id.in_(some), fresh)
                ):
                    found[task_id][branch] = data
        return found

    def put_live(self, rows: Sequence[LiveRow], gone: Sequence[tuple[str, str]] = ()) -> None:
        putting = insert_replacing(self._database.kind, live)

        def work(connection: Connection) -> None:
            now = self._database.now_ms(connection)
            for task_id, branch in gone:
                connection.execute(delete(live).where(live.c.task_id == task_id, live.c.branch == branch))
            if rows:
                connection.execute(putting, [{**row._asdict(), "updated_ms": now} for row in rows])

        self._database.transact(work)

    def statuses(self) -> dict[str, int]:
        asking = select(tasks.c.status, func.count()).group_by(tasks.c.status)
        with self._database.read() as connection:
            return dict(connection.execute(asking).tuples().all())

    def clear_live(self) -> None:
        def work(connection: Connection) -> None:
            old = self._database.now_ms(connection) - TOLD_MS
            connection.execute(delete(live).where(live.c.updated_ms < old))

        self._database.transact(work)


def _holders(connection: Connection, task_ids: Sequence[str], now_ms: int) -> dict[tuple[str, str], str]:
    asking = select(leases.c.task_id, leases.c.branch, leases.c.owner)
    held = leases.c.owner.is_not(None), leases.c.expires_ms > now_ms, leases.c.task_id.in_(task_ids)
    return {(task_id, branch): owner for task_id, branch, owner in connection.execute(asking.where(*held))}


def _rows(connection: Connection, task_ids: Sequence[str]) -> list[TaskRow]:
    asking = select(*TASK_COLUMNS).where(tasks.c.id.in_(task_ids))
    return [TaskRow(*row) for row in connection.execute(asking)]


def _branches(connection: Connection, task_ids: Sequence[str]) -> dict[str, dict[str, BranchRow]]:
    joined = select(tasks.c.id, *_BRANCH_COLUMNS).join(tasks, tasks.c.number == branches.c.task)
    found: dict[str, dict[str, BranchRow]] = defaultdict(dict)
    for task_id, *row in connection.execute(joined.where(tasks.c.id.in_(task_ids))):
        branch = BranchRow(*row)
        found[task_id][branch.name] = branch
    return found


def _heads(connection: Connection, task_ids: Sequence[str]) -> dict[str, dict[str, bytes]]:
    joined = select(repositories.c.task_id, refs.c.name, refs.c.target).join(
        repositories, repositories.c.number == refs.c.repository
    )
    there = repositories.c.task_id.in_(task_ids), refs.c.target.is_not(None)
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for task_id, name, target in connection.execute(joined.where(*there)):
        if name.startswith(_HEADS):
            found[task_id][name.removeprefix(_HEADS)] = target
    return found


def _in_parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
