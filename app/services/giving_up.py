"""Runs whose worker dies of them, again and again: they are given up, so that others have their workers."""

from __future__ import annotations

from typing import Final

from app.db.serving import Claim, Job, JobTable
from app.services.leases import hold_lease
from app.services.progress import progress_at
from app.services.scribes import open_held
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts
from app.vm.limits import taken_over
from app.vm.state import CANCELLED, COMPLETED, FAILED

MAX_TAKEOVERS: Final = 3
"""At so many takeovers without a commit between them."""


def count_takeovers(workplace: Workplace, jobs: JobTable, claim: Claim) -> int:
    """How often a run was taken over where it stands. Raises ``NotFound``, ``StorageError``."""
    if not claim.takeovers:
        return 0
    with open_repository(workplace, workplace.tasks.get(claim.job.task_id)) as repository:
        head = repository.head(claim.job.branch).hex()
    return jobs.note_takeover(claim.number, workplace.presence.owner, head)


def give_up(workplace: Workplace, job: Job, takeovers: int) -> None:
    """End a run as failed, as a commit that says why. One that has ended stays as it is.

    Raises ``LeaseHeld``, ``BranchMoved``, ``NotFound``, ``StorageError``.
    """
    task, branch = workplace.tasks.get(job.task_id), job.branch
    with hold_lease(workplace, task, branch, Interrupts()) as heartbeat:
        with open_repository(workplace, task) as repository:
            scribe = open_held(repository, task.id, branch, heartbeat.fence)
            if scribe.state.status in (COMPLETED, CANCELLED):
                return
            record = taken_over(takeovers)
            scribe.stop(record)
            scribe.journal.flush()
            progress = progress_at(repository, repository.head(branch))
        now = workplace.clock_ms()
        workplace.tasks.note_run(task.id, branch, FAILED, now, progress=progress, error=record["message"])
