"""Having a worker go on with a run that stands: after a pause, a failure, a decision."""

from __future__ import annotations

from app.db.base import TaskRow
from app.errors import Conflict
from app.queue.base import RunQueue
from app.services.branches import require_branch
from app.services.leases import hold_lease
from app.services.queueing import queue_run
from app.services.runs import raise_limit
from app.services.scribes import open_held
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts
from app.vm.state import CANCELLED, COMPLETED, PLANNING, RUNNING, WAITING


def go_on(
    workplace: Workplace,
    queue: RunQueue,
    task: TaskRow,
    branch: str | None,
    *,
    max_steps: int | None = None,
    parallel: int | None = None,
    priority: int = 0,
) -> str:
    """Queue a branch that can go on; gives its name.

    Raises ``NotFound`` (branch), ``Conflict`` where it runs or waits for a worker already, waits for a decision, or
    has ended for good, ``Busy``, ``Forbidden``.
    """
    workplace.actor.require("operator")
    with open_repository(workplace, task) as repository:
        name = require_branch(repository, task, branch)
        control = repository.reader.control(repository.commit(repository.head(name)).tree)
    if control.get("status") in (COMPLETED, CANCELLED):
        raise Conflict(f"branch {name!r} is {control['status']}", hint="fork or revise it")
    rows = workplace.tasks.branches(task.id)
    status = next((row.status for row in rows if row.name == name), None)
    if name == task.current_branch:
        status = task.status
    if status in ("queued", RUNNING, PLANNING):
        raise Conflict(f"branch {name!r} is {status} already")
    if status == WAITING:
        raise Conflict(f"branch {name!r} waits for a decision", hint="decide")
    if max_steps is not None:
        _raise_limit(workplace, task, name, max_steps)
    queue_run(workplace, queue, task, name, priority=priority, parallel=parallel)
    return name


def _raise_limit(workplace: Workplace, task: TaskRow, branch: str, max_steps: int) -> None:
    with (
        open_repository(workplace, task) as repository,
        hold_lease(workplace, task, branch, Interrupts()) as heartbeat,
    ):
        raise_limit(workplace, open_held(repository, task.id, branch, heartbeat.fence), max_steps)
