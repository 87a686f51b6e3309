"""Runs whose worker dies of them, again and again: they are given up, so that others have their workers."""

from __future__ import annotations

from typing import Final

from app.db.base import TaskRow
from app.services.leases import hold_lease
from app.services.scribes import open_held
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts
from app.vm.limits import taken_over
from app.vm.state import CANCELLED, COMPLETED, FAILED

MAX_TAKEOVERS: Final = 3
"""At so many takeovers without a commit between them."""


def head_of(workplace: Workplace, task: TaskRow, branch: str) -> str:
    """The commit at which a branch stands. Raises ``NotFound``."""
    with open_repository(workplace, task) as repository:
        return repository.commit(repository.head(branch)).id


def give_up(workplace: Workplace, task: TaskRow, branch: str, takeovers: int) -> None:
    """End a run as failed, as a commit that says why. One that has ended stays as it is.

    Raises ``LeaseHeld``, ``BranchMoved``, ``NotFound``, ``StorageError``.
    """
    with hold_lease(workplace, task, branch, Interrupts()) as heartbeat:
        with open_repository(workplace, task) as repository:
            scribe = open_held(repository, task.id, branch, heartbeat.fence)
            if scribe.state.status in (COMPLETED, CANCELLED):
                return
            record = taken_over(takeovers)
            scribe.stop(record)
            scribe.journal.flush()
        now = workplace.clock_ms()
        workplace.tasks.note_run(task.id, branch, FAILED, now, error=record["message"])
