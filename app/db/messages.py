"""What a queue with a broker asks the jobs: of which of them somebody has to be told, and who does that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select, update

from app.db.jobs import free_jobs
from app.db.models import duties, jobs
from app.db.serving import Waiting
from app.db.session import Database
from app.db.upsert import insert_ignoring

_COLUMNS: Final = tuple(jobs.c[name] for name in Waiting._fields)


class SqlMessages:
    """A :class:`app.db.serving.MessageTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self) -> Mapping[str | None, int]:
        def work(connection: Connection) -> Mapping[str | None, int]:
            now = self._database.now_ms(connection)
            counting = select(jobs.c.namespace, func.count()).where(*free_jobs(now))
            return dict(connection.execute(counting.group_by(jobs.c.namespace)).tuples().all())

        return self._database.ask(work)

    def due(self, most: int) -> Sequence[Waiting]:
        free_since = case(
            (and_(jobs.c.owner.is_not(None), jobs.c.expires_ms > jobs.c.not_before_ms), jobs.c.expires_ms),
            else_=jobs.c.not_before_ms,
        )
        asking = select(*_COLUMNS).where(jobs.c.sent_ms < free_since)
        return self._chosen(asking.order_by(jobs.c.priority.desc(), jobs.c.number).limit(most))

    def oldest(self, namespace: str | None, most: int, *, silent_seconds: float = 0.0) -> Sequence[Waiting]:
        asking = select(*_COLUMNS).where(_of(namespace))
        ordered = asking.order_by(jobs.c.sent_ms, jobs.c.priority.desc(), jobs.c.number).limit(most)
        return self._chosen(ordered, silent_ms=round(silent_seconds * 1000))

    def most_urgent(self, namespace: str | None, most: int) -> Sequence[Waiting]:
        asking = select(*_COLUMNS).where(_of(namespace))
        return self._chosen(asking.order_by(jobs.c.priority.desc(), jobs.c.number).limit(most))

    def mark(self, waiting: Sequence[Waiting]) -> None:
        numbers = [each.number for each in waiting]

        def work(connection: Connection) -> None:
            now = self._database.now_ms(connection)
            connection.execute(update(jobs).where(jobs.c.number.in_(numbers)).values(sent_ms=now))

        if numbers:
            self._database.transact(work)

    def elect(self, duty: str, owner: str, seconds: float) -> bool:
        def look(connection: Connection) -> bool:
            row = connection.execute(select(duties).where(duties.c.name == duty)).first()
            return row is None or row.owner == owner or row.expires_ms <= self._database.now_ms(connection)

        def work(connection: Connection) -> bool:
            now = self._database.now_ms(connection)
            row = {"name": duty, "owner": owner, "expires_ms": 0}
            connection.execute(insert_ignoring(self._database.kind, duties), row)
            mine = update(duties).where(
                duties.c.name == duty, or_(duties.c.owner == owner, duties.c.expires_ms <= now)
            )
            taking = mine.values(owner=owner, expires_ms=now + round(seconds * 1000))
            return connection.execute(taking).rowcount == 1

        # Looked at first, without a lock: with many workers nearly all looks find that another has it.
        return self._database.ask(look) and self._database.transact(work)

    def _chosen(self, asking: Select[tuple[int, str, str | None, int]], silent_ms: int = 0) -> list[Waiting]:
        def work(connection: Connection) -> list[Waiting]:
            now = self._database.now_ms(connection)
            rows = connection.execute(asking.where(*free_jobs(now), jobs.c.sent_ms <= now - silent_ms))
            return [Waiting(*row) for row in rows]

        return self._database.ask(work)


def _of(namespace: str | None) -> ColumnElement[bool]:
    return jobs.c.namespace.is_(None) if namespace is None else jobs.c.namespace == namespace
