"""Runs that are to go on, as rows that workers claim: judged by the database's clock, with no row waited for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, func, or_, select, update

from app.db.models import jobs
from app.db.models import namespaces as namespace_table
from app.db.serving import Backlog, Claim, Depth, Job
from app.db.session import Database
from app.db.upsert import add_unless_there
from app.errors import Busy

_JOB_COLUMNS: Final = tuple(jobs.c[name] for name in Job._fields)

_COUNT: Final = select(func.count()).select_from(jobs)
NO_LIMITS: Final[Mapping[str, int]] = MappingProxyType({})


class SqlJobs:
    """A :class:`app.db.base.JobTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, job: Job, *, most: int | None = None) -> None:
        def work(connection: Connection) -> None:
            if most is not None:
                waiting = connection.execute(_COUNT).scalar_one()
                if waiting >= most:
                    raise Busy(waiting)
            now = self._database.now_ms(connection)
            row = {**job._asdict(), "queued_ms": now, "not_before_ms": now, "owner": None}
            add_unless_there(connection, jobs, {**row, "expires_ms": 0, "takeovers": 0})

        self._database.transact(work)

    def claim(
        self,
        owner: str,
        seconds: float,
        *,
        limits: Mapping[str, int] = NO_LIMITS,
        namespaces: Collection[str] = (),
    ) -> Claim | None:
        def work(connection: Connection) -> Claim | None:
            now = self._database.now_ms(connection)
            full = _full(connection, now, limits)
            asking = select(*_JOB_COLUMNS, jobs.c.number, jobs.c.owner, jobs.c.takeovers)
            asking = asking.where(*_free(now), *_allowed(full, namespaces))
            asking = asking.order_by(jobs.c.priority.desc(), jobs.c.number).limit(1)
            row = connection.execute(asking.with_for_update(skip_locked=True)).first()
            if row is None or self._has_filled(connection, now, row.namespace, limits):
                return None
            takeovers = row.takeovers + (1 if row.owner is not None else 0)
            taking = update(jobs).where(jobs.c.number == row.number)
            until = now + round(seconds * 1000)
            connection.execute(taking.values(owner=owner, expires_ms=until, takeovers=takeovers))
            return Claim(Job(*row[: len(_JOB_COLUMNS)]), row.number, takeovers)

        return self._database.transact(work) if self._has_free() else None

    def _has_filled(
        self, connection: Connection, now: int, namespace: str | None, limits: Mapping[str, int]
    ) -> bool:
        """Whether the namespace has become full since we looked: who claims for one with a limit does it alone."""
        if namespace not in limits or self._database.kind == "sqlite":  # there, writers are alone anyway
            return False
        alone = select(namespace_table.c.name).where(namespace_table.c.name == namespace).with_for_update()
        connection.execute(alone)
        return namespace in _full(connection, now, limits)

    def renew(self, owner: str, seconds: float) -> int:
        def work(connection: Connection) -> int:
            until = self._database.now_ms(connection) + round(seconds * 1000)
            return connection.execute(
                update(jobs).where(jobs.c.owner == owner).values(expires_ms=until)
            ).rowcount

        return self._database.transact(work)

    def move(self, number: int, owner: str, branch: str) -> bool:
        mine = update(jobs).where(*_mine(number, owner)).values(branch=branch)
        return self._database.transact(lambda connection: connection.execute(mine).rowcount) == 1

    def give_back(self, number: int, owner: str, seconds: float = 0.0) -> None:
        def work(connection: Connection) -> None:
            later = self._database.now_ms(connection) + round(seconds * 1000)
            mine = update(jobs).where(*_mine(number, owner))
            connection.execute(mine.values(owner=None, expires_ms=0, not_before_ms=later))

        self._database.transact(work)

    def remove(self, number: int, owner: str) -> None:
        mine = delete(jobs).where(*_mine(number, owner))
        self._database.transact(lambda connection: connection.execute(mine))

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        chosen = [jobs.c.task_id == task_id]
        if branch is not None:
            chosen += [jobs.c.branch == branch]
        self._database.transact(lambda connection: connection.execute(delete(jobs).where(*chosen)))

    def has(self, task_id: str, branch: str) -> bool:
        asking = select(jobs.c.task_id).where(jobs.c.task_id == task_id, jobs.c.branch == branch).limit(1)
        with self._database.read() as connection:
            return connection.execute(asking).first() is not None

    def owners(self) -> set[str]:
        with self._database.read() as connection:
            asking = select(jobs.c.owner).where(jobs.c.owner.is_not(None)).distinct()
            return set(connection.execute(asking).scalars())

    def disown(self, owner: str) -> int:
        freeing = update(jobs).where(jobs.c.owner == owner).values(expires_ms=0)
        return self._database.transact(lambda connection: connection.execute(freeing).rowcount)

    def backlog(self) -> Backlog:
        with self._database.read() as connection:
            now = self._database.now_ms(connection)
            running = select(jobs.c.namespace, func.count()).where(
                jobs.c.owner.is_not(None), jobs.c.expires_ms > now
            )
            by_namespace = dict(connection.execute(running.group_by(jobs.c.namespace)).tuples().all())
            waiting, oldest = connection.execute(
                select(func.count(), func.min(jobs.c.queued_ms)).where(*_free(now))
            ).one()
        return Backlog(int(waiting), 0 if oldest is None else max(0, now - oldest), by_namespace)

    def waiting(self) -> dict[str | None, Depth]:
        with self._database.read() as connection:
            now = self._database.now_ms(connection)
            asking = select(jobs.c.namespace, func.count(), func.min(jobs.c.queued_ms)).where(*_free(now))
            rows = connection.execute(asking.group_by(jobs.c.namespace)).tuples().all()
        return {name: Depth(int(depth), max(0, now - oldest)) for name, depth, oldest in rows}

    def _has_free(self) -> bool:
        """Looked at without a lock first: most looks find nothing, and a writer's lock is dear on SQLite."""
        with self._database.read() as connection:
            asking: Select[Any] = (
                select(jobs.c.number).where(*_free(self._database.now_ms(connection))).limit(1)
            )
            return connection.execute(asking).first() is not None


def _free(now: int) -> tuple[ColumnElement[bool], ...]:
    """Nobody has it, or who had it has been silent for too long."""
    return or_(jobs.c.owner.is_(None), jobs.c.expires_ms <= now), jobs.c.not_before_ms <= now


def _full(connection: Connection, now: int, limits: Mapping[str, int]) -> list[str]:
    """The namespaces of which no more may run."""
    if not limits:
        return []
    held = (jobs.c.namespace.in_(limits), jobs.c.owner.is_not(None), jobs.c.expires_ms > now)
    counting = select(jobs.c.namespace, func.count()).where(*held).group_by(jobs.c.namespace)
    counts = dict(connection.execute(counting).tuples().all())
    return [name for name, most in limits.items() if counts.get(name, 0) >= most]


def _allowed(full: Collection[str], namespaces: Collection[str]) -> list[ColumnElement[bool]]:
    chosen = []
    if full:
        chosen.append(or_(jobs.c.namespace.is_(None), jobs.c.namespace.not_in(full)))
    if namespaces:
        chosen.append(jobs.c.namespace.in_(namespaces))
    return chosen


def _mine(number: int, owner: str) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.number == number, jobs.c.owner == owner
