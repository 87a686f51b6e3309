"""Namespaces in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from app.db.base import NamespaceRow
from app.db.checksums import update_row, with_checksum
from app.db.models import namespaces
from app.db.session import Database
from app.db.texts import storable
from app.db.upsert import insert_ignoring
from app.errors import Conflict, NotFound

_COLUMNS: Final = tuple(namespaces.c[name] for name in NamespaceRow.__dataclass_fields__)


class SqlNamespaces:
    """A :class:`app.db.base.NamespaceTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, row: NamespaceRow) -> None:
        values = {"name": row.name, "created_ms": row.created_ms, **_content(row)}
        adding = insert_ignoring(self._database.kind, namespaces)
        adding = adding.values(with_checksum(namespaces, values))
        standing = select(namespaces).where(namespaces.c.name == row.name)

        def work(connection: Connection, in_doubt: bool) -> None:
            if connection.execute(adding).rowcount == 0:
                there = connection.execute(standing).one()._asdict()
                if not (in_doubt and all(there[name] == value for name, value in values.items())):
                    raise name_taken(row.name)

        self._database.transact_told(work)

    def update(self, row: NamespaceRow) -> None:
        one = (namespaces.c.name == row.name,)
        changing = partial(update_row, table=namespaces, chosen=one, values=_content(row))
        if self._database.transact(changing) == 0:
            raise self._not_found(row.name)

    def delete(self, name: str) -> None:
        removing = delete(namespaces).where(namespaces.c.name == storable(name))

        def work(connection: Connection, in_doubt: bool) -> bool:
            return connection.execute(removing).rowcount > 0 or in_doubt

        if not self._database.transact_told(work):
            raise self._not_found(name)

    def get(self, name: str) -> NamespaceRow:
        asking = select(*_COLUMNS).where(namespaces.c.name == storable(name))
        row = self._database.ask(lambda connection: connection.execute(asking).one_or_none())
        if row is None:
            raise self._not_found(name)
        return _row(row)

    def list(self) -> list[NamespaceRow]:
        asking = select(*_COLUMNS).order_by(namespaces.c.name)
        return self._database.ask(lambda connection: [_row(row) for row in connection.execute(asking)])

    def _not_found(self, name: str) -> NotFound:
        return name_unknown(name, (row.name for row in self.list()))


def name_taken(name: str) -> Conflict:
    """What to raise where a namespace is to be made and is there."""
    return Conflict(f"namespace {name!r} exists already", hint="update it, or choose another name")


def name_unknown(name: str, names: Iterable[str]) -> NotFound:
    """What to raise where a namespace is not there; the hint has the nearest of ``names``."""
    near = get_close_matches(name, list(names), n=3, cutoff=0.5)
    hint = "did you mean " + " or ".join(near) + "?" if near else "`stackvm namespace list` shows them"
    return NotFound("namespace", name, hint=hint)


def _content(row: NamespaceRow) -> dict[str, Any]:
    return {
        "allowed_tools": json.dumps(row.allowed_tools),
        "description": storable(row.description),
        "policies": json.dumps(dict(row.policies)),
        "updated_ms": row.updated_ms,
    }


def _row(row: Any) -> NamespaceRow:
    return NamespaceRow(
        name=row.name,
        allowed_tools=tuple(json.loads(row.allowed_tools)),
        description=row.description,
        policies=json.loads(row.policies),
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
    )
