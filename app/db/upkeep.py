"""What is wrong with the rows, and which of them nobody needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, get_args

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from app.db.base import AttemptState, Freed, RowDamage
from app.db.checksums import CHECKED, is_sound
from app.db.models import (
    attempts,
    branches,
    effects,
    journal,
    leases,
    namespaces,
    objects,
    refs,
    repositories,
    segments,
    tasks,
)
from app.db.raw_rows import RawRow, raw_rows
from app.db.session import Database

_HEADS: Final = "refs/heads/"
_OF_TASKS: Final = (leases, attempts, effects)
_OF_HISTORIES: Final = (refs, journal, objects, segments)
_TIMES: Final = ("created_ms", "updated_ms", "started_ms", "expires_ms", "fence")

_NAMES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "tasks": lambda row: "the task's row",
    "branches": lambda row: f"branch row {row['name']}",
    "leases": lambda row: f"lease of {row['branch']}",
    "attempts": lambda row: f"attempt {row['key']}/{row['number']}",
    "effects": lambda row: (
        f"effect of {row['branch']}, step {row['seq_no']}, visit {row['visit']}, item {row['item']}"
    ),
    "namespaces": lambda row: f"namespace {row['name']}",
    "repositories": lambda row: f"history {row['number']}",
}
"""What a row is called for a person."""


class SqlUpkeep:
    """A :class:`app.db.base.Upkeep`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def task_ids(self) -> list[str]:
        return [str(row.values["id"]) for row in raw_rows(self._database, tasks)]

    def damage(self, task_id: str | None) -> Iterator[RowDamage]:
        if task_id is None:
            yield from self._file_damage()
            yield from self._own_damage()
            return
        number = None
        for row in self._rows(tasks, tasks.c.id, task_id):
            number = row.values["number"]
            yield from _row_damage(tasks, row, task_id)
        if number is not None:
            for row in raw_rows(self._database, branches, branches.c.task == number):
                yield from _row_damage(branches, row, task_id)
        for table in _OF_TASKS:
            for row in self._rows(table, table.c.task_id, task_id):
                yield from _row_damage(table, row, task_id)

        yield from self._fence_damage(task_id)

    def _fence_damage(self, task_id: str) -> Iterator[RowDamage]:
        """A ref's fence is that of a lease that was taken: a higher one would keep every run away."""
        known = {
            row.values["branch"]: row.values["fence"] for row in self._rows(leases, leases.c.task_id, task_id)
        }
        numbers = [row.values["number"] for row in self._rows(repositories, repositories.c.task_id, task_id)]
        for row in raw_rows(self._database, refs, refs.c.repository.in_(numbers)):
            name, fence = str(row.values["name"]), row.values["fence"]
            if name.startswith(_HEADS) and _above(fence, known.get(name.removeprefix(_HEADS), 0)):
                yield RowDamage(task_id, f"ref {name}", f"has the fence {fence}, which no lease ever had")

    def _rows(self, table: Table, column: Any, task_id: str) -> Iterator[RawRow]:
        """The rows of a task; the id may hold what the driver can't send."""
        found = raw_rows(self._database, table) if "\ufffd" in task_id else None
        if found is None:
            yield from raw_rows(self._database, table, column == task_id)
        else:
            yield from (row for row in found if row.values[column.name] == task_id)

    def _file_damage(self) -> Iterator[RowDamage]:
        """What SQLite itself finds wrong with its file: pages, indexes, missing rows."""
        if self._database.kind != "sqlite":
            return
        with self._database.read() as connection:
            lines = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check(branches)").all()
        for line in lines:
            if line != "ok":
                yield RowDamage(None, "the database's file", str(line))
        if loose:
            yield RowDamage(None, "branch rows", f"{len(loose)} are of a task that is not there")

    def _own_damage(self) -> Iterator[RowDamage]:
        """Of rows that are no task's, though some should be one's."""
        for row in raw_rows(self._database, namespaces):
            yield from _row_damage(namespaces, row, None)
        known = set(self.task_ids())
        for row in raw_rows(self._database, repositories):
            yield from _row_damage(repositories, row, None)
            if row.values["task_id"] not in known:
                problem = f"is of task {row.values['task_id']}, which is not there"
                yield RowDamage(None, f"history {row.values['number']}", problem, is_leftover=True)
        for table in _OF_TASKS:
            for row in raw_rows(self._database, table):
                if row.values["task_id"] not in known:
                    yield from _row_damage(table, row, None)
                    problem = f"is of task {row.values['task_id']}, which is not there"
                    yield RowDamage(None, _name(table, row), problem, is_leftover=True)
        with self._database.read() as connection:
            for table in _OF_HISTORIES:
                rows = connection.execute(_count(table, _is_loose(table))).scalar_one()
                if rows:
                    yield RowDamage(
                        None, f"{rows} rows of {table.name}", "are of a history that is not there", True
                    )

    def stray_ids(self) -> set[str]:
        found: set[str] = set()
        with self._database.read() as connection:
            for table in _OF_TASKS:
                asking = select(table.c.task_id).where(_is_stray(table)).distinct()
                found.update(connection.execute(asking).scalars())
        return found

    def drop_strays(self, task_id: str, *, dry_run: bool = False) -> Freed:
        chosen = {table: (table.c.task_id == task_id, _is_stray(table)) for table in _OF_TASKS}
        return self._drop(chosen, dry_run)

    def gone_branches(self, task_id: str, keep: Collection[str]) -> set[str]:
        found: set[str] = set()
        with self._database.read() as connection:
            for table in (attempts, effects):
                asking = select(table.c.branch).where(table.c.task_id == task_id).distinct()
                found.update(connection.execute(asking).scalars())
        return found.difference(keep)

    def drop_branches(self, task_id: str, keep: Collection[str], *, dry_run: bool = False) -> Freed:
        kept = list(keep)
        chosen = {
            table: (table.c.task_id == task_id, table.c.branch.not_in(kept)) for table in (attempts, effects)
        }
        return self._drop(chosen, dry_run)

    def drop_loose_rows(self, *, dry_run: bool = False) -> Freed:
        # The segments last, and only those that no object lies in: a wrong number in one is no garbage.
        return self._drop({table: (_is_loose(table),) for table in _OF_HISTORIES}, dry_run)

    def _drop(self, chosen: Mapping[Table, tuple[ColumnElement[bool], ...]], dry_run: bool) -> Freed:
        def work(connection: Connection) -> Freed:
            rows = size = 0
            for table, where in chosen.items():
                count, length = connection.execute(_measure(table, where)).one()
                rows, size = rows + int(count), size + int(length or 0)
                if count and not dry_run:
                    connection.execute(delete(table).where(*where))
            return Freed(rows, size)

        return self._database.transact(work)


def _row_damage(table: Table, row: RawRow, task_id: str | None) -> Iterator[RowDamage]:
    """What is wrong with a row by itself."""
    name = _name(table, row)
    for problem in (*row.problems, *_odd_values(table, row.values)):
        yield RowDamage(task_id, name, problem)
    if not row.problems and table in CHECKED and not is_sound(table, row.values):
        yield RowDamage(task_id, name, "is not what was written: its checksum is another")


def _name(table: Table, row: RawRow) -> str:
    return _NAMES[table.name](row.values)


def _odd_values(table: Table, values: Mapping[str, Any]) -> Iterator[str]:
    for name in _TIMES:
        if type(values.get(name)) is int and values[name] < 0:
            yield f"{name} is {values[name]}"
    if table is attempts and values["state"] not in get_args(AttemptState):
        yield f"state is {values['state']!r}"
    if table is namespaces:
        for name, kind in (("allowed_tools", list), ("policies", dict)):
            if not _holds(values[name], kind):
                yield f"{name} is no JSON {'array' if kind is list else 'object'}"
    if table is effects and not _holds(values["outcome"], dict):
        yield "its outcome is no JSON object"


def _holds(text: Any, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, TypeError, RecursionError):
        return False


def _above(one: Any, other: Any) -> bool:
    return type(one) is int and type(other) is int and one > other


def _is_stray(table: Table) -> ColumnElement[bool]:
    return table.c.task_id.not_in(select(tasks.c.id))


def _is_loose(table: Table) -> ColumnElement[bool]:
    loose = table.c.repository.not_in(select(repositories.c.number))
    return loose & table.c.id.not_in(select(objects.c.segment)) if table is segments else loose


def _count(table: Table, *chosen: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(table).where(*chosen)


def _measure(table: Table, chosen: tuple[ColumnElement[bool], ...]) -> Any:
    """How many rows, and the bytes of what is large in them."""
    large = {"effects": "outcome", "journal": "data", "segments": "data"}.get(table.name)
    size = func.sum(func.length(table.c[large])) if large is not None else func.count() * 0
    return select(func.count(), size).select_from(table).where(*chosen)
