"""Leases in the database: one row a branch, judged by the database's clock alone."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select, update

from app.db.base import Request
from app.db.models import leases
from app.db.requests import refuse_repeated
from app.db.session import Database
from app.db.upsert import add_unless_there
from app.errors import BranchMoved, LeaseHeld

_NOTHING_ASKED: Final = {"request": None, "requester": None}


class SqlLeases:
    """:class:`app.db.base.Leases` for all workers that share a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(
        self, task_id: str, branch: str, owner: str, seconds: float, *, dead: str | None = None
    ) -> int:
        return self._database.transact(
            lambda connection: self._acquire(connection, task_id, branch, owner, seconds, dead)
        )

    def renew(self, task_id: str, branch: str, fence: int, seconds: float) -> None:
        def work(connection: Connection, _: bool) -> int:
            until = self._database.now_ms(connection) + _milliseconds(seconds)
            renewing = update(leases).where(*_ours(task_id, branch, fence)).values(expires_ms=until)
            return connection.execute(renewing).rowcount

        # It is renewed again and again: rather the next time than too long now.
        if self._database.transact_told(work, at_most=seconds / 6) == 0:
            raise _lost(branch)

    def release(self, task_id: str, branch: str, fence: int) -> None:
        giving_back = update(leases).where(*_ours(task_id, branch, fence))
        giving_back = giving_back.values(owner=None, expires_ms=0, **_NOTHING_ASKED)

        def work(connection: Connection, in_doubt: bool) -> None:
            # In doubt, one that is not ours is one that was given back.
            if connection.execute(giving_back).rowcount == 0 and not in_doubt:
                raise _lost(branch)

        self._database.transact_told(work)

    def holder(self, task_id: str, branch: str) -> tuple[str, float] | None:
        def work(connection: Connection) -> tuple[str, float] | None:
            row = connection.execute(select(leases).where(*_branch(task_id, branch))).one_or_none()
            left = 0 if row is None else row.expires_ms - self._database.now_ms(connection)
            return None if row is None or row.owner is None or left <= 0 else (row.owner, left / 1000)

        return self._database.ask(work)

    def ask(self, task_id: str, branch: str, request: Request, requester: str) -> bool:
        def work(connection: Connection, in_doubt: bool) -> bool:
            row = connection.execute(
                select(leases).where(*_branch(task_id, branch)).with_for_update()
            ).first()
            if row is None or row.owner is None or row.expires_ms <= self._database.now_ms(connection):
                return False
            if in_doubt and (row.request, row.requester) == (request, requester):
                return True  # it was noted the first time
            refuse_repeated(row.request, row.requester, request)
            asking = update(leases).where(*_branch(task_id, branch))
            connection.execute(asking.values(request=request, requester=requester))
            return True

        return self._database.transact_told(work)

    def asked(self, task_id: str, branch: str, fence: int) -> tuple[Request, str] | None:
        asking = select(leases.c.request, leases.c.requester).where(*_ours(task_id, branch, fence))
        row = self._database.ask(lambda connection: connection.execute(asking).one_or_none())
        if row is None:
            raise _lost(branch)
        return None if row.request is None else (row.request, row.requester)

    def _acquire(
        self,
        connection: Connection,
        task_id: str,
        branch: str,
        owner: str,
        seconds: float,
        dead: str | None,
    ) -> int:
        row = self._lock_row(connection, task_id, branch)
        # The time after the row is ours: waiting for it may have taken a while.
        now = self._database.now_ms(connection)
        if row.owner not in (None, owner, dead) and row.expires_ms > now:
            raise LeaseHeld(branch, row.owner, (row.expires_ms - now) / 1000)
        # By the clock where it is ahead: fences rise on even where a task was deleted and imported again.
        fence: int = max(row.fence + 1, now)
        until = now + _milliseconds(seconds)
        taking = update(leases).where(*_branch(task_id, branch))
        connection.execute(taking.values(owner=owner, expires_ms=until, fence=fence, **_NOTHING_ASKED))
        return fence

    def _lock_row(self, connection: Connection, task_id: str, branch: str) -> Any:
        asking = select(leases).where(*_branch(task_id, branch)).with_for_update()
        row = connection.execute(asking).one_or_none()
        if row is None:  # nobody has run this branch yet
            new = {"task_id": task_id, "branch": branch, "owner": None, "expires_ms": 0, "fence": 0}
            add_unless_there(connection, leases, {**new, **_NOTHING_ASKED})
            row = connection.execute(asking).one()
        return row


def _branch(task_id: str, branch: str) -> tuple[ColumnElement[bool], ...]:
    return leases.c.task_id == task_id, leases.c.branch == branch


def _ours(task_id: str, branch: str, fence: int) -> tuple[ColumnElement[bool], ...]:
    return *_branch(task_id, branch), leases.c.fence == fence, leases.c.owner.is_not(None)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _lost(branch: str) -> BranchMoved:
    return BranchMoved(branch, "its lease is no longer ours")
