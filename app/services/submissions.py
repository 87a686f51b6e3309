"""A goal for a worker: the task, its tags, its place in the queue; all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.db.base import TaskRow
from app.errors import ConfigurationError, NoModelHere
from app.queue.base import RunQueue
from app.services.deletion import delete_task
from app.services.planning import require_askers
from app.services.queueing import queue_run
from app.services.task_lists import checked_tags
from app.services.tasks import MAIN, NewTask, check_goal, submit_task
from app.services.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Submission:
    """``priority``: the highest first. ``parallel``: calls under way at once, ``None`` as by default."""

    new: NewTask
    tags: Sequence[str] = ()
    priority: int = 0
    parallel: int | None = None


def submit_goal(workplace: Workplace, queue: RunQueue, submission: Submission) -> TaskRow:
    """Make the task and queue it; gives its row.

    Raises as :func:`app.services.tasks.submit_task`, ``InputError`` for a tag, ``NoModelHere`` where a model would
    have to write the plan and none is configured, ``Busy``; nothing is kept then.
    """
    tags = checked_tags(submission.tags)
    new = submission.new
    check_goal(new.goal)
    if new.plan is None or new.revise:
        workplace.actor.require("operator")
        _require_model(workplace)
    row = submit_task(workplace, new)
    try:
        if tags:
            workplace.lists.set_tags(row.id, tags)
        queue_run(
            workplace,
            queue,
            row,
            MAIN,
            priority=submission.priority,
            parallel=submission.parallel,
            is_new=True,
        )
    except BaseException:
        delete_task(workplace, row)
        raise
    return workplace.tasks.get(row.id)


def _require_model(workplace: Workplace) -> None:
    try:
        require_askers(workplace)
    except ConfigurationError as error:
        raise NoModelHere(error.message, hint=error.hint) from None
