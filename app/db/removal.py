"""Deleting what belongs to a task, within the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from app.db.models import (
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


def remove_history(connection: Connection, task_id: str) -> None:
    """Delete the repository of a task with all that is in it. Nothing happens where there is none."""
    asking = select(repositories.c.number).where(repositories.c.task_id == task_id).with_for_update()
    number = connection.execute(asking).scalar()
    if number is None:
        return
    for table in (refs, objects, journal, segments):
        connection.execute(delete(table).where(table.c.repository == number))
    connection.execute(delete(repositories).where(repositories.c.number == number))


def remove_serving(connection: Connection, task_id: str) -> None:
    """Delete what a server knows of a task beside its history: tags, its place in the queue, proposals."""
    number = select(tasks.c.number).where(tasks.c.id == task_id).scalar_subquery()
    connection.execute(delete(tags).where(tags.c.task == number))
    mine = select(proposals.c.number).where(proposals.c.task_id == task_id)
    connection.execute(delete(comments).where(comments.c.proposal.in_(mine)))
    for table in (proposals, jobs, live):
        connection.execute(delete(table).where(table.c.task_id == task_id))
