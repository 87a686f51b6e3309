"""Taking a task's history along: an ordinary git clone of any store."""

from __future__ import annotations

from pathlib import Path

from app.db.base import TaskRow
from app.history.clone import clone_store
from app.services.tasks import open_repository
from app.services.workplace import Workplace


def clone_task(workplace: Workplace, task: TaskRow, folder: Path) -> str:
    """Clone the task's repository into ``folder``, its current branch checked out; gives that branch's head.

    Raises ``Conflict`` where ``folder`` holds something, ``DamagedHistory`` and ``StorageError``.
    """
    with open_repository(workplace, task) as repository:
        head = repository.head(task.current_branch)
        clone_store(repository.store, folder, task.current_branch)
        return head.hex()
