"""Lists of tasks: filtered, a page at a time, by the time they were made. Page 1,000 costs what page 1 does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select

from app.db.base import TaskRow
from app.db.models import branches, tags, tasks
from app.db.serving import ListedTask, TaskFilter
from app.db.session import Database
from app.db.task_columns import TASK_COLUMNS
from app.db.texts import storable

_ESCAPE: Final = "\\"


class SqlTaskLists:
    """A :class:`app.db.serving.TaskLists`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, chosen: TaskFilter, limit: int, after: tuple[int, int] | None = None
    ) -> Sequence[ListedTask]:
        asking = select(*TASK_COLUMNS, tasks.c.number).where(*_conditions(chosen))
        if chosen.tag is not None:
            asking = asking.join(
                tags, and_(tags.c.task == tasks.c.number, tags.c.tag == storable(chosen.tag))
            )
        if after is not None:
            created_ms, number = after
            older = tasks.c.created_ms < created_ms
            same = and_(tasks.c.created_ms == created_ms, tasks.c.number < number)
            # The first condition says nothing new: by it the index is entered here, where an OR begins at its end.
            asking = asking.where(tasks.c.created_ms <= created_ms, or_(older, same))
        asking = asking.order_by(tasks.c.created_ms.desc(), tasks.c.number.desc()).limit(limit)

        def work(connection: Connection) -> list[ListedTask]:
            rows = connection.execute(asking).all()
            by_task = _tags_of(connection, [row.number for row in rows])
            return [ListedTask(TaskRow(*row[:-1]), row.number, by_task.get(row.number, ())) for row in rows]

        return self._database.ask(work)

    def tags(self, task_id: str) -> tuple[str, ...]:
        asking = select(tags.c.tag).join(tasks, tasks.c.number == tags.c.task)
        asking = asking.where(tasks.c.id == task_id).order_by(tags.c.tag)
        return self._database.ask(lambda connection: tuple(connection.execute(asking).scalars()))

    def set_tags(self, task_id: str, wanted: Sequence[str]) -> None:
        def work(connection: Connection) -> None:
            number = connection.execute(select(tasks.c.number).where(tasks.c.id == task_id)).scalar()
            if number is None:
                return
            connection.execute(delete(tags).where(tags.c.task == number))
            rows = [{"tag": storable(tag), "task": number} for tag in sorted(set(wanted))]
            if rows:
                connection.execute(insert(tags), rows)

        self._database.transact(work)


def _conditions(chosen: TaskFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.statuses and chosen.any_branch:
        here = and_(branches.c.task == tasks.c.number, branches.c.status.in_(chosen.statuses))
        found.append(exists(select(branches.c.name).where(here)))
    elif chosen.statuses:
        found.append(tasks.c.status.in_(chosen.statuses))
    if chosen.namespace is not None:
        found.append(tasks.c.namespace == storable(chosen.namespace))
    if chosen.text:
        pattern = storable(chosen.text)
        for special in (_ESCAPE, "%", "_"):
            pattern = pattern.replace(special, _ESCAPE + special)
        found.append(tasks.c.goal.ilike(f"%{pattern}%", escape=_ESCAPE))
    if chosen.since_ms is not None:
        found.append(tasks.c.created_ms >= chosen.since_ms)
    if chosen.until_ms is not None:
        found.append(tasks.c.created_ms < chosen.until_ms)
    return found


def _tags_of(connection: Connection, numbers: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    by_task: dict[int, Any] = {}
    if numbers:
        asking = select(tags.c.task, tags.c.tag).where(tags.c.task.in_(numbers)).order_by(tags.c.tag)
        for number, tag in connection.execute(asking):
            by_task[number] = (*by_task.get(number, ()), tag)
    return by_task
