"""Approving a proposal: its revision is committed and queued, once, whoever else approves it and whoever dies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from app.crash_points import reached
from app.db.base import Progress, TaskRow
from app.db.reviews import ProposalRow
from app.errors import BaseMoved, Busy, Conflict, StackVMError
from app.history.repository import HEADS, Repository
from app.queue.base import RunQueue
from app.services.branches import new_branch_name
from app.services.progress import progress_at
from app.services.proposals import find_proposal, options_of, plan_of
from app.services.queueing import queue_run
from app.services.revise import Base, accept_plan
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.state import COMPLETED, PAUSED

STALE_MS: Final = 60_000
"""An approval that is so old and not done: whoever made it has died. Another may go on with it."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A proposal that was approved. ``queued`` is false where there is nothing left to run."""

    row: ProposalRow
    branch: str
    commit: str
    queued: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.row.number,
            "task_id": self.row.task_id,
            "status": self.row.status,
            "branch": self.branch,
            "commit": self.commit,
            "queued": self.queued,
        }


def approve_proposal(
    workplace: Workplace,
    queue: RunQueue,
    task: TaskRow,
    number: int,
    *,
    priority: int = 0,
    parallel: int | None = None,
) -> Approved:
    """Commit the revision and have a worker run it.

    Raises ``Forbidden``, ``NotFound``, ``BaseMoved``, ``Conflict`` where it was approved or discarded already, or its
    name is taken; ``Busy`` where the backlog is full: it can be approved again then.
    """
    workplace.actor.require("operator")
    row = _take(workplace, task, find_proposal(workplace, task, number))
    assert row.result is not None
    reached("proposal.approving")
    try:
        commit = _commit(workplace, task, row, row.result)
    except StackVMError:
        _release(workplace, row, replace(row, status="open", result=None))
        raise
    reached("proposal.committed")
    # Not `paused`: there was nothing to run; or who died over it had queued it, and it may run or have run by now.
    known = {branch.name: branch.status for branch in workplace.tasks.branches(task.id)}
    status = known.get(row.result, PAUSED)
    try:
        if status == PAUSED:
            mine = replace(task, status=PAUSED, current_branch=row.result, error=None)
            queue_run(workplace, queue, mine, row.result, priority=priority, parallel=parallel)
    except Busy:
        _release(workplace, row, replace(row, updated_ms=0))  # whoever approves next goes on at once
        raise
    done = replace(row, status="approved", updated_ms=_later(workplace, row))
    if not workplace.proposals.replace(row, done):
        raise Conflict(f"proposal {number} was approved by somebody else meanwhile")
    return Approved(done, row.result, commit, status != COMPLETED)


def _take(workplace: Workplace, task: TaskRow, row: ProposalRow) -> ProposalRow:
    """The proposal, ours alone from here on."""
    now = _later(workplace, row)
    if row.status == "approving" and row.result is not None and now - row.updated_ms > STALE_MS:
        mine = replace(row, updated_ms=now)
    elif row.status == "open":
        with open_repository(workplace, task) as repository:
            _require_base(repository, row)
            name = new_branch_name(repository, options_of(row).name, "revision")
        mine = replace(row, status="approving", result=name, updated_ms=now)
    else:
        raise Conflict(f"proposal {row.number} is {row.status}", hint=_HINTS.get(row.status))
    if not workplace.proposals.replace(row, mine):
        raise Conflict(f"proposal {row.number} is being decided about by somebody else")
    return mine


_HINTS: Final = {
    "writing": "the model is still at it",
    "approving": "somebody has just approved it",
    "failed": "the model wrote no plan; propose it again",
    "discarded": "propose it again",
}


def _require_base(repository: Repository, row: ProposalRow) -> None:
    head = repository.store.ref(HEADS + row.branch)
    if head is None or head.hex() != row.base:
        raise BaseMoved(
            f"branch {row.branch!r} has moved since proposal {row.number} was worked out",
            hint="propose it again",
        )


def _commit(workplace: Workplace, task: TaskRow, row: ProposalRow, name: str) -> str:
    """The revision's commit; that of who died over it, where there is one."""
    plan = plan_of(row)
    with open_repository(workplace, task) as repository:
        made = _made_before(repository, row, name)
    if made is not None:
        if all(branch.name != name for branch in workplace.tasks.branches(task.id)):
            status, progress = _standing_at(workplace, task, made)
            workplace.tasks.note_run(task.id, name, status, workplace.clock_ms(), progress=progress)
        return made
    how = row.origin.get("record") or {}
    return accept_plan(workplace, task, Base(row.branch, row.base), plan, name, options_of(row), how).commit


def _made_before(repository: Repository, row: ProposalRow, name: str) -> str | None:
    head = repository.store.ref(HEADS + name)
    if head is None:
        return None
    for commit in repository.log(head):
        if commit.kind == "revision":
            record = repository.reader.record(commit.tree)
            ours = record.get("revises") == {"branch": row.branch, "commit": row.base}
            if ours and repository.reader.plan(commit.tree) == plan_of(row).to_json():
                return commit.id
    return None


def _standing_at(workplace: Workplace, task: TaskRow, commit_id: str) -> tuple[str, Progress]:
    oid = bytes.fromhex(commit_id)
    with open_repository(workplace, task) as repository:
        control = repository.reader.control(repository.commit(oid).tree)
        progress = progress_at(repository, oid)
    return COMPLETED if control.get("status") == COMPLETED else PAUSED, progress


def _release(workplace: Workplace, old: ProposalRow, new: ProposalRow) -> None:
    later = new.updated_ms if new.updated_ms != old.updated_ms else _later(workplace, old)
    workplace.proposals.replace(old, replace(new, updated_ms=later))


def _later(workplace: Workplace, row: ProposalRow) -> int:
    return max(workplace.clock_ms(), row.updated_ms + 1)
