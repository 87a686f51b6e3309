"""A goal for a worker: the task, its tags, its place in the queue; all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.db.base import TaskRow
from app.db.serving import Job
from app.errors import ConfigurationError, NoModelHere
from app.log_fields import current_trace
from app.queue.base import RunQueue
from app.services.planning import require_askers
from app.services.task_lists import checked_tags
from app.services.tasks import NewTask, check_goal, keep_task, prepare_task
from app.services.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Submission:
    """``priority``: the highest first. ``parallel``: calls under way at once, ``None`` as by default."""

    new: NewTask
    tags: Sequence[str] = ()
    priority: int = 0
    parallel: int | None = None


def submit_goal(
    workplace: Workplace,
    queue: RunQueue,
    submission: Submission,
    on_kept: Callable[[TaskRow], None] = lambda _: None,
) -> TaskRow:
    """Make the task and queue it; gives its row. ``on_kept`` is called when it is written down, and what
    that writes is part of the same transaction.

    Raises as :func:`app.services.tasks.submit_task`, ``InputError`` for a tag, ``NoModelHere`` where a model would
    have to write the plan and none is configured, ``Busy``; nothing is kept then.
    """
    tags = checked_tags(submission.tags)
    new = submission.new
    check_goal(new.goal)
    if new.plan is None or new.revise:
        workplace.actor.require("operator")
        _require_model(workplace)
    made = prepare_task(workplace, new)
    row = made.row
    where = (row.id, row.current_branch, row.namespace)
    job = Job(*where, submission.priority, submission.parallel, current_trace())

    def also() -> None:
        queue.keep(job)
        if tags:
            workplace.lists.set_tags(row.id, tags)
        on_kept(row)

    keep_task(workplace, made, also)
    queue.tell(job)
    return row


def _require_model(workplace: Workplace) -> None:
    try:
        require_askers(workplace)
    except ConfigurationError as error:
        raise NoModelHere(error.message, hint=error.hint) from None
