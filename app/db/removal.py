"""Deleting what belongs to a task, within the caller's transaction."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import Connection, delete, select

from app.db.models import (
    DELETED,
    comments,
    jobs,
    journal,
    live,
    objects,
    proposals,
    refs,
    repositories,
    segments,
    tags,
    tasks,
)
from app.db.upsert import insert_replacing

TOLD_MS: Final = 3_600_000
"""For so long it is told that a task was deleted."""


def remove_history(connection: Connection, task_id: str) -> None:
    """Delete the repository of a task with all that is in it. Nothing happens where there is none."""
    asking = select(repositories.c.number).where(repositories.c.task_id == task_id).with_for_update()
    number = connection.execute(asking).scalar()
    if number is None:
        return
    for table in (refs, objects, journal, segments):
        connection.execute(delete(table).where(table.c.repository == number))
    connection.execute(delete(repositories).where(repositories.c.number == number))


def note_deletion(connection: Connection, kind: str, task_id: str, at_ms: int, now_ms: int) -> None:
    """Leave word for whoever watches the list, before the task's row goes. Nothing happens where there is none.

    ``at_ms`` is by the clock that tasks' times are by, ``now_ms`` by the database's, by which it is cleared away.
    """
    # Where no server runs, nobody else clears old ones away.
    old = live.c.updated_ms < now_ms - TOLD_MS
    connection.execute(delete(live).where(live.c.branch == DELETED, old))
    row = connection.execute(select(tasks.c.namespace).where(tasks.c.id == task_id)).one_or_none()
    if row is not None:
        data = json.dumps([row.namespace, at_ms])
        told = {"task_id": task_id, "branch": DELETED, "updated_ms": now_ms, "data": data}
        connection.execute(insert_replacing(kind, live), told)


def forget_deletion(connection: Connection, task_id: str) -> None:
    """The task is there again."""
    connection.execute(delete(live).where(live.c.task_id == task_id, live.c.branch == DELETED))


def remove_serving(connection: Connection, task_id: str) -> None:
    """Delete what a server knows of a task beside its history: tags, its place in the queue, proposals."""
    number = select(tasks.c.number).where(tasks.c.id == task_id).scalar_subquery()
    connection.execute(delete(tags).where(tags.c.task == number))
    mine = select(proposals.c.number).where(proposals.c.task_id == task_id)
    connection.execute(delete(comments).where(comments.c.proposal.in_(mine)))
    for table in (proposals, jobs):
        connection.execute(delete(table).where(table.c.task_id == task_id))
    connection.execute(delete(live).where(live.c.task_id == task_id, live.c.branch != DELETED))
