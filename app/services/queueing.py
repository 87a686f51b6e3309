"""Runs that a worker is to see to their end: putting them into the queue, and what the worker does."""

from __future__ import annotations

from app.db.base import TaskRow
from app.db.serving import Job
from app.log_fields import current_trace
from app.queue.base import RunQueue
from app.services.progress import progress_at
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.events import Listener
from app.vm.interrupts import Interrupts
from app.vm.scheduler import WIDTH

RUNNING_POLICY = "running"
"""The policy of a namespace that says how many of its tasks may run at once."""


def queue_run(
    workplace: Workplace,
    queue: RunQueue,
    task: TaskRow,
    branch: str,
    *,
    priority: int = 0,
    parallel: int | None = None,
) -> None:
    """Have a worker go on with a branch. Raises ``Busy`` where the backlog is full: nothing is changed then."""
    job = Job(task.id, branch, task.namespace, priority, parallel, current_trace())

    progress = None
    if branch != task.current_branch:
        with open_repository(workplace, task) as repository:
            progress = progress_at(repository, repository.head(branch))

    def keep(_: bool) -> None:
        now_ms = workplace.clock_ms()
        workplace.tasks.note_run(task.id, branch, "queued", now_ms, progress=progress, error=task.error)
        queue.keep(job)

    workplace.transactions.together(keep)
    queue.tell(job)


def run_claimed(
    workplace: Workplace, job: Job, interrupts: Interrupts, listener: Listener | None
) -> RunReport | None:
    """Run a job to its end. ``None`` where the task has been ended meanwhile. Raises as :func:`run_branch`."""
    task = workplace.tasks.get(job.task_id)
    options = RunOptions(interrupts, listener, parallel=job.parallel or WIDTH)
    return run_branch(workplace, task, job.branch, options)


def running_limits(workplace: Workplace) -> dict[str, int]:
    """How many runs a namespace may have at once, where it says so."""
    rows = workplace.namespaces.list()
    return {row.name: row.policies[RUNNING_POLICY] for row in rows if RUNNING_POLICY in row.policies}
