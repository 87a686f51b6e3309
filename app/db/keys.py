"""API keys in the database: the hash of each, never the key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from sqlalchemy import bindparam, insert, or_, select, update

from app.db.models import api_keys
from app.db.serving import KeyRow
from app.db.session import Database
from app.errors import NotFound

_COLUMNS: Final = tuple(api_keys.c[name] for name in KeyRow.__dataclass_fields__)


class SqlKeys:
    """A :class:`app.db.base.KeyTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: KeyRow) -> None:
        values = {column.name: getattr(row, column.name) for column in _COLUMNS}
        self._database.transact(lambda connection: connection.execute(insert(api_keys).values(values)))

    def get(self, key_id: str) -> KeyRow:
        with self._database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(api_keys.c.id == key_id)).one_or_none()
        if row is None:
            raise NotFound("key", key_id)
        return KeyRow(*row)

    def list(self) -> Sequence[KeyRow]:
        with self._database.read() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(api_keys.c.created_ms, api_keys.c.id))
            return [KeyRow(*row) for row in rows]

    def revoke(self, key_id: str, now_ms: int) -> None:
        revoking = update(api_keys).where(api_keys.c.id == key_id).values(revoked_ms=now_ms)
        if self._database.transact(lambda connection: connection.execute(revoking).rowcount) == 0:
            raise NotFound("key", key_id)

    def any_valid(self, now_ms: int) -> bool:
        def work(cursor: Any) -> bool:
            cursor.execute(self._valid, (now_ms,))
            return cursor.fetchone() is not None

        return self._database.ask_cursor(work)

    @cached_property
    def _valid(self) -> str:
        """Rendered once, as it is asked at every request."""
        until = or_(api_keys.c.expires_ms.is_(None), api_keys.c.expires_ms > bindparam("now_ms"))
        asking = select(api_keys.c.id).where(api_keys.c.revoked_ms.is_(None), until)
        return self._database.prepare(asking, "now_ms")
