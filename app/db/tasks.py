"""Tasks and their branches in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from app.db.base import BranchRow, Progress, TaskRow, TaskRows
from app.db.checksums import update_row, with_checksum
from app.db.models import attempts, branches, effects, leases, tasks
from app.db.removal import forget_deletion, note_deletion, remove_history, remove_serving
from app.db.restoring import restore_ledger
from app.db.session import Database
from app.db.task_columns import TASK_COLUMNS, TASK_FIELDS
from app.db.texts import storable, storable_or_none
from app.db.upsert import add_unless_there
from app.errors import Ambiguous, Conflict, NotFound

_BRANCH_COLUMNS: Final = tuple(branches.c[name] for name in BranchRow.__dataclass_fields__)
_NUMBER: Final = select(tasks.c.number).where(tasks.c.id == bindparam("id"))
_ADD_BRANCH: Final = insert(branches)
_LAST_CHARACTER: Final = "\U0010ffff"
_CANDIDATES: Final = 5


class SqlTasks:
    """A :class:`app.db.base.TaskTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, row: TaskRow) -> None:
        current = BranchRow(row.current_branch, row.status, row.created_ms)

        def work(connection: Connection, in_doubt: bool) -> None:
            if not (in_doubt and self._stored(connection, tasks.c.id == row.id) == [_as_stored(row)]):
                self._add(connection, row, [current])

        self._database.transact_told(work)

    def restore(self, rows: TaskRows) -> None:
        def work(connection: Connection, in_doubt: bool) -> None:
            wanted = replace(_as_stored(rows.task), branches=len(rows.branches))
            if in_doubt and self._stored(connection, tasks.c.id == rows.task.id) == [wanted]:
                return
            self._add(connection, rows.task, rows.branches)
            forget_deletion(connection, rows.task.id)
            restore_ledger(connection, rows)

        self._database.transact_told(work)

    def has(self, task_id: str) -> bool:
        asking = select(tasks.c.number).where(tasks.c.id == storable(task_id))
        return self._database.ask(lambda connection: connection.execute(asking).first() is not None)

    def get(self, task_id: str) -> TaskRow:
        rows = self._select(tasks.c.id == storable(task_id))
        if not rows:
            raise NotFound("task", task_id)
        return rows[0]

    def find(self, prefix: str) -> TaskRow:
        start = storable(prefix)
        if not start:
            raise NotFound("task", prefix, hint="give an id, or the beginning of one")
        # The task itself comes first: an id may be the beginning of another.
        rows = self._select(
            tasks.c.id.between(start, start + _LAST_CHARACTER), order=tasks.c.id, limit=_CANDIDATES
        )
        if not rows:
            raise NotFound("task", prefix)
        if len(rows) > 1 and rows[0].id != start:
            raise Ambiguous("task", prefix, [row.id for row in rows])
        return rows[0]

    def list(self, status: str | None = None, limit: int = 50) -> Sequence[TaskRow]:
        chosen = () if status is None else (tasks.c.status == status,)
        return self._select(*chosen, limit=limit)

    def note_run(
        self,
        task_id: str,
        branch: str,
        status: str,
        now_ms: int,
        *,
        progress: Progress | None = None,
        error: str | None = None,
    ) -> None:
        values: dict[str, Any] = {"current_branch": branch, "status": status, "updated_ms": now_ms}
        values["error"] = storable_or_none(error)
        if progress is not None:
            values |= progress._asdict()

        def work(connection: Connection) -> None:
            _update(connection, task_id, values)
            self._note_branch(connection, task_id, branch, status, now_ms)

        self._database.transact(work)

    def note_progress(self, task_id: str, branch: str, progress: Progress, now_ms: int) -> None:
        chosen = tasks.c.id == task_id, tasks.c.current_branch == branch
        values = {**progress._asdict(), "updated_ms": now_ms}
        self._database.transact(lambda connection: update_row(connection, tasks, chosen, values))

    def set_current_branch(
        self, task_id: str, branch: str, now_ms: int, progress: Progress | None = None
    ) -> None:
        def work(connection: Connection) -> None:
            number = _number(connection, task_id)
            values: dict[str, Any] = {"current_branch": branch, "updated_ms": now_ms}
            if progress is not None:
                values |= progress._asdict()
            asking = select(branches.c.status).where(branches.c.task == number, branches.c.name == branch)
            status = connection.execute(asking).scalar()
            if status is not None:
                values["status"] = status
            _update(connection, task_id, values)

        self._database.transact(work)

    def branches(self, task_id: str) -> Sequence[BranchRow]:
        asking = (
            select(*_BRANCH_COLUMNS)
            .join(tasks, tasks.c.number == branches.c.task)
            .where(tasks.c.id == task_id)
            .order_by(branches.c.name)
        )
        return self._database.ask(lambda connection: [BranchRow(*row) for row in connection.execute(asking)])

    def note_branch(self, task_id: str, branch: str, status: str, now_ms: int) -> None:
        def work(connection: Connection) -> None:
            self._note_branch(connection, task_id, branch, status, now_ms)
            _update(connection, task_id, {"updated_ms": now_ms})

        self._database.transact(work)

    def note_source(self, task_id: str, branch: str, source: str, source_head: str) -> None:
        def work(connection: Connection) -> None:
            number = _number(connection, task_id)
            known = {"source": source, "source_head": source_head}
            if update_row(connection, branches, _branch(number, branch), known) == 0:
                raise NotFound("branch", branch)

        self._database.transact(work)

    def delete_branch(self, task_id: str, branch: str, now_ms: int) -> None:
        def work(connection: Connection) -> None:
            number = _number(connection, task_id)
            _update(connection, task_id, {"updated_ms": now_ms})
            connection.execute(delete(branches).where(branches.c.task == number, branches.c.name == branch))
            # The row of the lease stays for its fence, which must not begin again.
            lease = update(leases).where(leases.c.task_id == task_id, leases.c.branch == branch)
            connection.execute(lease.values(owner=None, expires_ms=0))

        self._database.transact(work)

    def delete(self, task_id: str, deleted_ms: int | None = None) -> None:
        def work(connection: Connection) -> None:
            for table in (effects, attempts, leases):
                connection.execute(delete(table).where(table.c.task_id == task_id))
            remove_serving(connection, task_id)
            now_ms = self._database.now_ms(connection)
            at_ms = now_ms if deleted_ms is None else deleted_ms
            note_deletion(connection, self._database.kind, task_id, at_ms, now_ms)
            remove_history(connection, task_id)
            connection.execute(delete(tasks).where(tasks.c.id == task_id))  # its branches go with it

        self._database.remove(work)

    def _add(self, connection: Connection, row: TaskRow, known: Sequence[BranchRow]) -> None:
        values = {name: getattr(row, name) for name in TASK_FIELDS}
        values["goal"] = storable(row.goal)
        values["error"] = storable_or_none(row.error)
        if not add_unless_there(connection, tasks, values | with_checksum(tasks, values)):
            raise Conflict(f"task {row.id} exists already")
        number = _number(connection, row.id)
        if known:
            rows = [with_checksum(branches, {"task": number, **asdict(branch)}) for branch in known]
            connection.execute(_ADD_BRANCH, rows)

    def _select(
        self, *chosen: ColumnElement[bool], order: Any = None, limit: int | None = None
    ) -> Sequence[TaskRow]:
        return self._database.ask(
            lambda connection: self._stored(connection, *chosen, order=order, limit=limit)
        )

    def _stored(
        self,
        connection: Connection,
        *chosen: ColumnElement[bool],
        order: Any = None,
        limit: int | None = None,
    ) -> Sequence[TaskRow]:
        newest_first = (tasks.c.created_ms.desc(), tasks.c.number.desc())
        asking = select(*TASK_COLUMNS).where(*chosen).limit(limit)
        asking = asking.order_by(*newest_first if order is None else (order,))
        return [TaskRow(*row) for row in connection.execute(asking)]

    def _note_branch(
        self, connection: Connection, task_id: str, branch: str, status: str, now_ms: int
    ) -> None:
        number = _number(connection, task_id)
        one = _branch(number, branch)
        if update_row(connection, branches, one, {"status": status}):
            return
        row = {"task": number, "name": branch, "status": status, "created_ms": now_ms}
        if not add_unless_there(connection, branches, with_checksum(branches, row)):  # made in between
            update_row(connection, branches, one, {"status": status})


def _as_stored(row: TaskRow) -> TaskRow:
    return replace(row, goal=storable(row.goal), error=storable_or_none(row.error))


def _number(connection: Connection, task_id: str) -> int:
    number = connection.execute(_NUMBER, {"id": task_id}).scalar()
    if number is None:
        raise NotFound("task", task_id)
    return int(number)


def _branch(number: int, branch: str) -> tuple[ColumnElement[bool], ...]:
    return branches.c.task == number, branches.c.name == branch


def _update(connection: Connection, task_id: str, values: dict[str, Any]) -> None:
    if update_row(connection, tasks, (tasks.c.id == task_id,), values) == 0:
        raise NotFound("task", task_id)
