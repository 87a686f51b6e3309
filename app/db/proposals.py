"""Proposals and comments in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Table, insert, select, update

from app.db.models import comments, proposals, tasks
from app.db.reviews import CommentRow, ProposalRow, ProposalStatus
from app.db.session import Database
from app.db.texts import storable
from app.errors import NotFound

_COLUMNS: Final = tuple(proposals.c[name] for name in ProposalRow.__dataclass_fields__)
_COMMENT_COLUMNS: Final = tuple(comments.c[name] for name in CommentRow.__dataclass_fields__)
_DOCUMENTS: Final = ("plan", "origin", "options")


class SqlProposals:
    """A :class:`app.db.reviews.ProposalTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: ProposalRow) -> ProposalRow:
        return replace(row, number=self._insert(proposals, _values(row)))

    def get(self, task_id: str, number: int) -> ProposalRow:
        asking = select(*_COLUMNS).where(proposals.c.number == number, proposals.c.task_id == task_id)
        with self._database.read() as connection:
            row = connection.execute(asking).one_or_none()
        if row is None:
            raise NotFound("proposal", str(number))
        return _row(row)

    def list(
        self, task_id: str, limit: int, *, status: ProposalStatus | None = None, before: int | None = None
    ) -> Sequence[ProposalRow]:
        asking = select(*_COLUMNS).where(proposals.c.task_id == task_id)
        if status is not None:
            asking = asking.where(proposals.c.status == status)
        if before is not None:
            asking = asking.where(proposals.c.number < before)
        with self._database.read() as connection:
            rows = connection.execute(asking.order_by(proposals.c.number.desc()).limit(limit))
            return [_row(row) for row in rows]

    def list_all(
        self, namespace: str | None, limit: int, *, status: ProposalStatus, before: int | None = None
    ) -> Sequence[ProposalRow]:
        asking = select(*_COLUMNS).where(proposals.c.status == status)
        if namespace is not None:
            asking = asking.join(tasks, tasks.c.id == proposals.c.task_id)
            asking = asking.where(tasks.c.namespace == storable(namespace))
        if before is not None:
            asking = asking.where(proposals.c.number < before)
        with self._database.read() as connection:
            rows = connection.execute(asking.order_by(proposals.c.number.desc()).limit(limit))
            return [_row(row) for row in rows]

    def replace(self, old: ProposalRow, new: ProposalRow) -> bool:
        replacing = update(proposals).where(
            proposals.c.number == old.number,
            proposals.c.status == old.status,
            proposals.c.updated_ms == old.updated_ms,
        )
        replacing = replacing.values(_values(new))

        def work(connection: Connection, in_doubt: bool) -> bool:
            if connection.execute(replacing).rowcount:
                return True
            # An earlier try may have done it.
            return in_doubt and _find(connection, proposals, _values(new)) == old.number

        return self._database.transact_told(work)

    def add_comment(self, row: CommentRow) -> CommentRow:
        values = {name: getattr(row, name) for name in CommentRow.__dataclass_fields__ if name != "number"}
        values["body"] = storable(row.body)
        return replace(row, number=self._insert(comments, values), body=values["body"])

    def comments(self, proposal: int, limit: int, *, after: int = 0) -> Sequence[CommentRow]:
        asking = select(*_COMMENT_COLUMNS).where(comments.c.proposal == proposal, comments.c.number > after)
        with self._database.read() as connection:
            rows = connection.execute(asking.order_by(comments.c.number).limit(limit))
            return [CommentRow(**row._mapping) for row in rows]

    def _insert(self, table: Table, values: dict[str, Any]) -> int:
        def work(connection: Connection, in_doubt: bool) -> int:
            there = _find(connection, table, values) if in_doubt else None
            if there is not None:
                return there
            key = connection.execute(insert(table).values(values)).inserted_primary_key
            assert key is not None
            return int(key[0])

        return self._database.transact_told(work)


def _find(connection: Connection, table: Table, values: Mapping[str, Any]) -> int | None:
    """The newest row with these values."""
    alike = [
        table.c[name].is_(None) if value is None else table.c[name] == value for name, value in values.items()
    ]
    asking = select(table.c.number).where(*alike).order_by(table.c.number.desc()).limit(1)
    number: int | None = connection.execute(asking).scalar()
    return number


def _values(row: ProposalRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in ProposalRow.__dataclass_fields__ if name != "number"}
    # In ASCII: a plan may hold what a database refuses.
    return values | {name: json.dumps(values[name]) for name in _DOCUMENTS}


def _row(row: Any) -> ProposalRow:
    values = dict(row._mapping)
    return ProposalRow(**values | {name: json.loads(values[name]) for name in _DOCUMENTS})
