"""A task from one file, as :mod:`app.services.exports` wrote it: verified, then stored as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from app.crash_points import reached
from app.db.base import TaskRow, TaskRows
from app.errors import Conflict, InputError, NotFound, StorageError
from app.history.base import RawObject, RefMove, Store
from app.history.disk import disk_errors, held_lock
from app.history.refnames import HEADS
from app.history.repository import Repository
from app.services.carried_bundle import Carried, read_export
from app.services.progress import progress_at
from app.services.workplace import Workplace

UNFINISHED: Final = "refs/stackvm/importing"
"""In a history whose task is not there yet: only what has it may be thrown away by who imports again. A history
without a task may be that of another database with the same ``VAR_DIR``."""

_PART_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What came. ``has_namespace``: whether the task's namespace is known here, or it needs none."""

    task: TaskRow
    branches: int
    commits: int
    objects: int
    attempts: int
    effects: int
    has_namespace: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task.id,
            "goal": self.task.goal,
            "status": self.task.status,
            "branch": self.task.current_branch,
            "namespace": self.task.namespace,
            "namespace_known": self.has_namespace,
            "history": self.task.store,
            "branches": self.branches,
            "commits": self.commits,
            "objects": self.objects,
            "attempts": self.attempts,
            "effects": self.effects,
        }


def import_task(workplace: Workplace, file: Path, history: str | None = None) -> Imported:
    """Take in an exported task under its own id; ``history`` is the store it gets, by default that of new tasks.

    Raises ``InputError`` for a file that is not a whole, sound export, ``Conflict`` where the task is here already,
    ``StorageError``. Nothing is kept then.
    """
    backend = history or workplace.default_store
    if backend not in workplace.stores:
        raise InputError(f"there is no store {backend!r}", hint="one of " + ", ".join(workplace.stores))
    carried = read_export(file, backend)
    task = carried.rows.task
    with _alone(workplace):
        _refuse_present(workplace, task)
        _clear_leftovers(workplace, task)
        _store(workplace, carried)
    return Imported(
        task,
        sum(name.startswith(HEADS) for name in carried.refs),
        carried.commits,
        len(carried.objects),
        len(carried.rows.attempts),
        sum(map(len, carried.rows.effects.values())),
        _has_namespace(workplace, task.namespace),
    )


@contextmanager
def _alone(workplace: Workplace) -> Iterator[None]:
    """One import at a time on this machine: what one has not finished, another would take for left behind."""
    folder = workplace.lock_folder
    with disk_errors(f"lock {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        with held_lock(folder / "import"):
            yield


def _refuse_present(workplace: Workplace, task: TaskRow) -> None:
    with suppress(NotFound):
        workplace.tasks.get(task.id)
        raise Conflict(
            f"task {task.id} is here already", hint="`delete` it first, if the file is to take its place"
        )


def _clear_leftovers(workplace: Workplace, task: TaskRow) -> None:
    """Remove what an import that was killed left. Raises ``Conflict`` for a history that may be somebody's."""
    for backend, histories in workplace.stores.items():
        try:
            store = histories.open(task.id)
        except NotFound:
            continue
        try:
            refs = store.refs()
        finally:
            store.close()
        if not refs or UNFINISHED in refs:
            histories.delete(task.id)
        elif backend == task.store:
            raise Conflict(
                f"there is a {backend} history of task {task.id} already, without the task",
                hint="another database with the same VAR_DIR may have it; --history chooses another store",
            )


def _with_progress(rows: TaskRows, store: Store) -> TaskRows:
    """With the summary for lists, which does not travel: the history has it."""
    head = store.ref(HEADS + rows.task.current_branch)
    if head is None:
        return rows
    known = progress_at(Repository(store), head)._asdict()
    return replace(rows, task=replace(rows.task, **known))


def _store(workplace: Workplace, carried: Carried) -> None:
    rows = carried.rows
    histories = workplace.stores[rows.task.store]
    store = histories.create(rows.task.id)
    try:
        reached("import.begun")
        _write(store, carried)
        workplace.tasks.restore(_with_progress(rows, store))
        reached("import.created")
    except BaseException:
        # What went wrong is to be told; where the database can't say whether the task is there, the history stays.
        with suppress(StorageError):
            if not _is_here(workplace, rows.task):
                histories.delete(rows.task.id)
        raise
    else:
        with suppress(StorageError):  # the task is here; a mark that stays does no harm
            store.write([], [RefMove(UNFINISHED, store.ref(UNFINISHED), None)])
            store.finish()
    finally:
        store.close()


def _write(store: Store, carried: Carried) -> None:
    """Objects, then the mark, then the refs: while these are not all there, the mark says so."""
    for part in _parts(carried.objects):
        store.write(part)
    reached("import.written")
    head = carried.refs[HEADS + carried.rows.task.current_branch]
    store.write([], [RefMove(UNFINISHED, None, head)])
    store.write([], [RefMove(name, None, oid) for name, oid in sorted(carried.refs.items())])
    reached("import.stored")


def _parts(objects: Sequence[RawObject]) -> Iterator[list[RawObject]]:
    """Objects in groups that a transaction can hold."""
    part: list[RawObject] = []
    size = 0
    for item in objects:
        part.append(item)
        size += len(item.data)
        if size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _is_here(workplace: Workplace, task: TaskRow) -> bool:
    try:
        workplace.tasks.get(task.id)
    except NotFound:
        return False
    return True


def _has_namespace(workplace: Workplace, name: str | None) -> bool:
    if name is None:
        return True
    try:
        workplace.namespaces.get(name)
    except NotFound:
        return False
    return True
