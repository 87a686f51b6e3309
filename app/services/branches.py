"""Branches: list, fork, delete."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from app.db.base import TaskRow
from app.errors import Conflict
from app.history.commits import Commit
from app.history.refnames import check_new_branch_name
from app.history.repository import HEADS, Repository
from app.services.leases import refuse_running, standing
from app.services.progress import progress_at
from app.services.tasks import MAIN, open_repository
from app.services.workplace import Workplace
from app.vm.state import PAUSED, RUNNING


@dataclass(frozen=True, slots=True)
class BranchView:
    """A branch as lists show it. ``commit`` is the head's id, ``time`` its time in seconds since the epoch."""

    name: str
    status: str
    commit: str
    subject: str
    time: int
    steps: int
    is_current: bool

    def to_json(self) -> dict[str, object]:
        return {
            "branch": self.name,
            "status": self.status,
            "commit": self.commit,
            "subject": self.subject,
            "time": self.time,
            "steps": self.steps,
            "current": self.is_current,
        }


def list_branches(workplace: Workplace, task: TaskRow) -> list[BranchView]:
    """All branches of a task, by name."""
    known = {row.name: row.status for row in workplace.tasks.branches(task.id)}
    with open_repository(workplace, task) as repository:
        views = []
        for name, head in repository.branches().items():
            commit = repository.commit(head)
            control = repository.reader.control(commit.tree)
            status = standing(workplace, task.id, name, known.get(name) or status_of(control))
            views.append(
                BranchView(
                    name,
                    status,
                    commit.id,
                    commit.subject,
                    commit.time,
                    control.get("steps", 0),
                    name == task.current_branch,
                )
            )
        return views


def status_of(control: dict[str, object]) -> str:
    """The status of a branch nobody has run since it was made: what has not ended can be resumed."""
    status = str(control.get("status", RUNNING))
    return PAUSED if status == RUNNING else status


def fork_branch(workplace: Workplace, task: TaskRow, revision: str, name: str) -> BranchView:
    """A new branch at a revision. Raises ``NotFound``, ``Ambiguous``, ``InvalidName``, ``Conflict``."""
    workplace.actor.require("operator")
    with open_repository(workplace, task) as repository:
        commit = repository.resolve(revision)
        repository.fork(commit.oid, name)
        control = repository.reader.control(commit.tree)
        source = source_of(repository, task, revision, commit)
    status = status_of(control)
    workplace.tasks.note_branch(task.id, name, status, workplace.clock_ms())
    if source is not None:
        workplace.tasks.note_source(task.id, name, *source)
    return BranchView(name, status, commit.id, commit.subject, commit.time, control.get("steps", 0), False)


def new_branch_name(repository: Repository, name: str | None, kind: str) -> str:
    """``name``, or where there is none the next free one of its kind: ``revision-1``, ``revision-2``.

    Raises ``InvalidName``, and ``Conflict`` where the name is taken.
    """
    if name is None:
        numbered = (f"{kind}-{number}" for number in count(1))
        return next(each for each in numbered if repository.store.ref(HEADS + each) is None)
    check_new_branch_name(name)
    if repository.store.ref(HEADS + name) is not None:
        raise Conflict(f"there is a branch {name!r} already", hint="give another --name")
    return name


def source_of(repository: Repository, task: TaskRow, revision: str, commit: Commit) -> tuple[str, str] | None:
    """The branch that is forked at ``commit``, and the commit it stands at: the one that was named, else the current
    one where it has the commit, else the first that has. ``None`` where no branch has it."""
    branches = repository.branches()
    named = revision.split("~")[0].rstrip("^")
    in_order = dict.fromkeys([named, task.current_branch, *branches])
    for name in in_order:
        head = branches.get(name)
        if head is not None and any(each.oid == commit.oid for each in repository.log(head)):
            return name, head.hex()
    return None


def delete_branch(workplace: Workplace, task: TaskRow, name: str) -> Commit:
    """Remove a branch with what is known of its calls; gives the commit it stood at.

    Raises ``NotFound``, and ``Conflict`` where it runs or is the task's only one.
    """
    workplace.actor.require("operator")
    with open_repository(workplace, task) as repository:
        head = repository.commit(repository.head(name))
        others = [other for other in repository.branches() if other != name]
        if not others:
            raise Conflict(f"{name!r} is the only branch of the task", hint="delete the task instead")
        refuse_running(workplace, task, name)
        if name == task.current_branch:
            other = MAIN if MAIN in others else others[0]
            progress = progress_at(repository, repository.head(other))
            workplace.tasks.set_current_branch(task.id, other, workplace.clock_ms(), progress)
        # The row, the branch, what is known of its calls: where we are killed between, the branch is whole
        # and `gc` gives it a row again, or it is gone and `gc` drops the rest.
        workplace.tasks.delete_branch(task.id, name, workplace.clock_ms())
        repository.delete_branch(name)
    workplace.ledger(task.id).drop_branch(name)
    return head


def require_branch(repository: Repository, task: TaskRow, name: str | None) -> str:
    """The branch that was named, or the task's current one. Raises ``NotFound``."""
    branch = name if name is not None else task.current_branch
    repository.head(branch)
    return branch
