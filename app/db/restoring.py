"""Putting back what was known of a task's calls, within the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert

from app.db.base import TaskRows
from app.db.checksums import with_checksum
from app.db.models import attempts, effects, leases
from app.db.texts import storable_or_none


def restore_ledger(connection: Connection, rows: TaskRows) -> None:
    """Attempts and kept outcomes, and nothing else: what was left of a task of that id belongs to none."""
    task_id = rows.task.id
    for table in (effects, attempts, leases):
        connection.execute(delete(table).where(table.c.task_id == task_id))
    begun = [
        with_checksum(
            attempts, {"task_id": task_id, **attempt._asdict(), "error": storable_or_none(attempt.error)}
        )
        for attempt in rows.attempts
    ]
    if begun:
        connection.execute(insert(attempts), begun)
    kept = [
        with_checksum(effects, {"task_id": task_id, "branch": branch, **effect._asdict()})
        for branch, finished in rows.effects.items()
        for effect in finished
    ]
    if kept:
        connection.execute(insert(effects), kept)
