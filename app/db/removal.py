"""Deleting what belongs to a task, within the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from app.db.models import journal, objects, refs, repositories, segments


def remove_history(connection: Connection, task_id: str) -> None:
    """Delete the repository of a task with all that is in it. Nothing happens where there is none."""
    asking = select(repositories.c.number).where(repositories.c.task_id == task_id).with_for_update()
    number = connection.execute(asking).scalar()
    if number is None:
        return
    for table in (refs, objects, journal, segments):
        connection.execute(delete(table).where(table.c.repository == number))
    connection.execute(delete(repositories).where(repositories.c.number == number))
