"""The ledger in the database: a row an attempt, a row an uncommitted outcome."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, delete, select

from app.db.base import Attempt, AttemptState, FinishedEffect
from app.db.checksums import checksum, update_row
from app.db.models import attempts, effects, leases
from app.db.session import Database
from app.db.texts import storable_or_none
from app.db.upsert import insert_ignoring, insert_replacing
from app.errors import BranchMoved, Conflict, StorageError

_ATTEMPT_COLUMNS: Final = tuple(attempts.c[name] for name in Attempt._fields)
_ATTEMPT_TABLE: Final = tuple(name for name in list(attempts.c.keys()) if name != "checksum")
_EFFECT_COLUMNS: Final = tuple(effects.c[name] for name in FinishedEffect._fields)


class SqlLedger:
    """A :class:`app.db.base.Ledger` for the task ``task_id``."""

    def __init__(self, database: Database, task_id: str, lease: tuple[str, int] | None = None) -> None:
        self._database = database
        self._task_id = task_id
        self._lease = lease

    def fenced(self, branch: str, fence: int) -> SqlLedger:
        return SqlLedger(self._database, self._task_id, (branch, fence))

    def begin(self, attempt: Attempt) -> None:
        """Raises ``Conflict`` where somebody has begun this very attempt: the call is not ours to make."""
        # Drawn anew each time, as another worker may begin an attempt that is equal in all else.
        mine = secrets.token_hex(8)
        values = {"task_id": self._task_id, **attempt._asdict(), "begun_by": mine}
        values["error"] = storable_or_none(attempt.error)
        row = [values[name] for name in _ATTEMPT_TABLE]

        def work(cursor: Any, in_doubt: bool) -> bool:
            self._check_lease(cursor)
            cursor.execute(self._begin_sql, (*row, checksum(*row)))
            if cursor.rowcount == 0 and in_doubt:
                cursor.execute(self._begun_by_sql, (self._task_id, attempt.key, attempt.number))
                return bool(cursor.fetchone() == (mine,))
            return bool(cursor.rowcount)

        if not self._database.transact_cursor(work):
            raise Conflict(
                f"attempt {attempt.number} of {attempt.tool} in step {attempt.seq_no} was begun already",
                hint="another worker runs the branch",
            )

    def close(self, key: str, number: int, state: AttemptState, error: str | None) -> None:
        one = (attempts.c.task_id == self._task_id, attempts.c.key == key, attempts.c.number == number)
        known = {"state": state, "error": storable_or_none(error)}
        self._database.transact(lambda connection: update_row(connection, attempts, one, known))

    def attempts(self, key: str) -> list[Attempt]:
        rows = self._rows(self._attempts_sql, (self._task_id, key))
        return sorted((self._attempt(row) for row in rows), key=lambda attempt: attempt.number)

    def branch_attempts(self, branch: str) -> list[Attempt]:
        return self._attempts(_select_attempts(self._task_id, attempts.c.branch == branch))

    def save_effects(self, branch: str, finished: Sequence[FinishedEffect]) -> None:
        rows = [(self._task_id, branch, *effect) for effect in finished]
        self._write(self._save_sql, [(*row, checksum(*row)) for row in rows])

    def effects(self, branch: str, seq_no: int, visit: int) -> dict[int, tuple[str, bytes]]:
        found = self._effects(branch, *self._visit(branch, seq_no, visit))
        return {effect.item: (effect.inputs_hash, effect.outcome) for effect in found}

    def branch_effects(self, branch: str) -> list[FinishedEffect]:
        return self._effects(branch, effects.c.task_id == self._task_id, effects.c.branch == branch)

    def effect_places(self, branch: str) -> set[tuple[int, int]]:
        rows = self._rows(self._places_sql, (self._task_id, branch))
        return {(int(seq_no), int(visit)) for seq_no, visit in rows}

    def drop_effects(self, branch: str, places: Iterable[tuple[int, int]]) -> None:
        # In one order everywhere, so that no two transactions wait for each other.
        self._write(self._drop_sql, [(self._task_id, branch, *place) for place in sorted(places)])

    def drop_branch(self, branch: str) -> None:
        self._drop(lambda table: table.c.branch == branch)

    def drop(self) -> None:
        self._drop(lambda table: table.c.task_id == self._task_id)

    def _visit(self, branch: str, seq_no: int, visit: int) -> tuple[ColumnElement[bool], ...]:
        return (
            effects.c.task_id == self._task_id,
            effects.c.branch == branch,
            effects.c.seq_no == seq_no,
            effects.c.visit == visit,
        )

    def _attempts(self, asking: Select[Any]) -> list[Attempt]:
        return self._database.ask(
            lambda connection: [self._attempt(row) for row in connection.execute(asking)]
        )

    def _rows(self, sql: str, values: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        def work(cursor: Any) -> Sequence[tuple[Any, ...]]:
            cursor.execute(sql, values)
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
            return rows

        return self._database.ask_cursor(work)

    def _attempt(self, row: Sequence[Any]) -> Attempt:
        """A row of the attempts with ``begun_by`` and checksum. Raises ``StorageError`` where they don't agree."""
        *fields, begun_by, stored = row
        attempt = Attempt(*fields)
        values = {"task_id": self._task_id, **attempt._asdict(), "begun_by": begun_by}
        if stored is not None and stored != checksum(*[values[name] for name in _ATTEMPT_TABLE]):
            raise self._damaged(f"attempt {attempt.number} of {attempt.tool} in step {attempt.seq_no}")
        return attempt

    def _effects(self, branch: str, *chosen: ColumnElement[bool]) -> list[FinishedEffect]:
        """Outcomes of a branch. Raises ``StorageError`` for one that is not what was kept: it must not be used."""
        asking = select(*_EFFECT_COLUMNS, effects.c.checksum).where(*chosen)
        found = []
        for *row, stored in self._database.ask(lambda connection: connection.execute(asking).all()):
            if stored is not None and stored != checksum(self._task_id, branch, *row):
                raise self._damaged(f"the outcome that is kept of step {row[0]}")
            found.append(FinishedEffect(*row))
        return found

    def _damaged(self, what: str) -> StorageError:
        return StorageError(
            f"the database is damaged: {what} is not what was written",
            hint=f"`stackvm fsck {self._task_id}` says more; a fork of the branch does without it",
        )

    @cached_property
    def _begin_sql(self) -> str:
        return self._database.prepare(
            insert_ignoring(self._database.kind, attempts), *_ATTEMPT_TABLE, "checksum"
        )

    @cached_property
    def _begun_by_sql(self) -> str:
        names = ("task_id", "key", "number")
        one = (attempts.c[name] == bindparam(name) for name in names)
        return self._database.prepare(select(attempts.c.begun_by).where(*one), *names)

    @cached_property
    def _lease_sql(self) -> str:
        names = ("task_id", "branch", "fence")
        mine = (leases.c[name] == bindparam(name) for name in names)
        asking = select(leases.c.owner).where(*mine, leases.c.owner.is_not(None)).with_for_update()
        return self._database.prepare(asking, *names)

    @cached_property
    def _attempts_sql(self) -> str:
        one = (attempts.c.task_id == bindparam("task_id"), attempts.c.key == bindparam("key"))
        asking = select(*_ATTEMPT_COLUMNS, attempts.c.begun_by, attempts.c.checksum).where(*one)
        return self._database.prepare(asking, "task_id", "key")

    @cached_property
    def _save_sql(self) -> str:
        return self._database.prepare(insert_replacing(self._database.kind, effects), *effects.c.keys())

    @cached_property
    def _places_sql(self) -> str:
        branch = (effects.c.task_id == bindparam("task_id"), effects.c.branch == bindparam("branch"))
        asking = select(effects.c.seq_no, effects.c.visit).where(*branch).distinct()
        return self._database.prepare(asking, "task_id", "branch")

    @cached_property
    def _drop_sql(self) -> str:
        names = ("task_id", "branch", "seq_no", "visit")
        one = (effects.c[name] == bindparam(name) for name in names)
        return self._database.prepare(delete(effects).where(*one), *names)

    def _check_lease(self, cursor: Any) -> None:
        """Hold our lease's row until the end of the transaction. Raises ``BranchMoved`` where it is ours no more."""
        if self._lease is not None:
            branch, fence = self._lease
            cursor.execute(self._lease_sql, (self._task_id, branch, fence))
            if cursor.fetchone() is None:
                raise BranchMoved(branch, "another worker holds its lease now")

    def _write(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """The hot path, once a call: one transaction, durable on return; to be used where repeating does no harm."""
        if not rows:
            return

        def work(cursor: Any, _: bool) -> None:
            if len(rows) == 1:
                cursor.execute(sql, rows[0])
            else:
                cursor.executemany(sql, rows)

        self._database.transact_cursor(work)

    def _drop(self, chosen: Callable[[Table], ColumnElement[bool]]) -> None:
        def work(connection: Connection) -> None:
            for table in (attempts, effects):
                connection.execute(delete(table).where(table.c.task_id == self._task_id, chosen(table)))

        self._database.transact(work)


def _select_attempts(task_id: str, chosen: ColumnElement[bool]) -> Select[Any]:
    rows = select(*_ATTEMPT_COLUMNS, attempts.c.begun_by, attempts.c.checksum).where(
        attempts.c.task_id == task_id, chosen
    )
    return rows.order_by(attempts.c.started_ms, attempts.c.key, attempts.c.number)
