"""What was answered under an ``Idempotency-Key``, and the audit of changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from app.db.models import audit, requests
from app.db.serving import AuditRow, Earlier
from app.db.session import Database
from app.db.texts import storable
from app.db.upsert import add_unless_there

_ADD_NOTE: Final = insert(audit)
KEPT_MS: Final = 24 * 3600 * 1000
"""How long an answer is kept for a client that asks again."""
_LOST_MS: Final = 60_000
"""After so long a request that has no answer is taken for one whose process died."""


class SqlRequests:
    """A :class:`app.db.serving.RequestTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, actor: str, key: str, fingerprint: str, now_ms: int) -> Earlier | None:
        one = (requests.c.actor == actor, requests.c.key == key)
        row = {"actor": actor, "key": key, "fingerprint": fingerprint, "created_ms": now_ms}
        columns = (requests.c.fingerprint, requests.c.status, requests.c.body, requests.c.headers)

        def work(connection: Connection) -> Earlier | None:
            connection.execute(delete(requests).where(requests.c.created_ms < now_ms - KEPT_MS))
            lost = (*one, requests.c.status.is_(None), requests.c.created_ms < now_ms - _LOST_MS)
            connection.execute(delete(requests).where(*lost))
            if add_unless_there(connection, requests, {**row, "status": None, "body": None, "headers": None}):
                return None
            found = connection.execute(select(*columns).where(*one)).one()
            return Earlier(found[0], found[1], found[2] or "", json.loads(found[3] or "{}"))

        return self._database.transact(work)

    def end(self, actor: str, key: str, status: int, body: str, headers: dict[str, str]) -> None:
        ending = update(requests).where(requests.c.actor == actor, requests.c.key == key)
        ending = ending.values(status=status, body=body, headers=json.dumps(headers))
        self._database.transact(lambda connection: connection.execute(ending))

    def forget(self, actor: str, key: str) -> None:
        dropping = delete(requests).where(requests.c.actor == actor, requests.c.key == key)
        self._database.transact(lambda connection: connection.execute(dropping))


class SqlAudit:
    """A :class:`app.db.serving.AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, row: AuditRow) -> None:
        values = {
            "at_ms": row.at_ms,
            "actor": storable(row.actor),
            "action": row.action,
            "task_id": row.task_id,
            "detail": json.dumps(row.detail, ensure_ascii=False),
        }
        self._database.transact(lambda connection: connection.execute(_ADD_NOTE, values))

    def page(self, limit: int, before: int | None, task_id: str | None) -> Sequence[tuple[int, AuditRow]]:
        asking = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            asking = asking.where(audit.c.number < before)
        if task_id is not None:
            asking = asking.where(audit.c.task_id == task_id)
        rows = self._database.ask(lambda connection: connection.execute(asking).all())
        return [
            (row.number, AuditRow(row.at_ms, row.actor, row.action, row.task_id, json.loads(row.detail)))
            for row in rows
        ]
