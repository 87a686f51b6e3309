"""Deleting a task: everything that is known of it, in every table and on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.crash_points import reached
from app.db.base import TaskRow
from app.errors import InputError, StackVMError
from app.history.base import Store
from app.services.holding import hold_task
from app.services.tasks import histories_of
from app.services.workplace import Workplace


def delete_task(workplace: Workplace, task: TaskRow) -> int:
    """Remove the task with its history, damaged or not; gives how many bytes the history took.

    Raises ``Conflict`` while a branch is being run; none can begin meanwhile. The rows go in one transaction, then
    what is on the disk: where we are killed between, ``gc`` finds a history without a task.
    """
    workplace.actor.require("operator")
    with history_or_none(workplace, task) as store, hold_task(workplace, task, store):
        freed = history_bytes(workplace, task.id)
        workplace.tasks.delete(task.id, workplace.clock_ms())
        reached("delete.rows")
        delete_histories(workplace, task.id)
    return freed


@contextmanager
def history_or_none(workplace: Workplace, task: TaskRow) -> Iterator[Store | None]:
    """The task's history; ``None`` where it is missing or too damaged to be opened. Raises ``StorageError`` where it
    is in a store that this version doesn't know: nothing of that could be removed."""
    store = None
    factory = histories_of(workplace, task)
    with suppress(StackVMError):
        store = factory.open(task.id)
    try:
        yield store
    finally:
        if store is not None:
            store.close()


def history_bytes(workplace: Workplace, task_id: str) -> int:
    """How many bytes a task's history takes, whichever store it is in."""
    return sum(factory.stored_bytes(task_id) for factory in workplace.stores.values())


def delete_histories(workplace: Workplace, task_id: str) -> None:
    """Remove a task's history from every store that may have one."""
    for factory in workplace.stores.values():
        with suppress(InputError):  # an id that can't be one there
            factory.delete(task_id)
