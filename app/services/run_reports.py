"""How a run stands, for whoever did not run it: the report that its own process would have given."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.db.base import TaskRow
from app.history.commits import ENGINE, Commit
from app.history.repository import Repository
from app.services.branches import require_branch
from app.services.leases import standing
from app.services.reports import Revised, RunReport, report_at
from app.services.tasks import open_repository
from app.services.waiting import find_waiting
from app.services.workplace import Workplace
from app.vm.state import CANCELLED, COMPLETED, FAILED, PAUSED, WAITING

_ENDED: Final = (COMPLETED, FAILED, CANCELLED)


def read_report(workplace: Workplace, task: TaskRow, branch: str | None) -> RunReport:
    """The report of a branch, or of the last of the revisions that the machine made of it on the way.

    ``status`` is also that of a run which goes on, or is yet to begin. Raises ``NotFound`` (branch).
    """
    with open_repository(workplace, task) as repository:
        name = require_branch(repository, task, branch)
        revisions: list[Revised] = []
        while (revised := _revision_of(repository, name)) is not None:
            revisions.append(revised)
            name = revised.branch
        report = report_at(repository, task, name, repository.commit(repository.head(name)))
        known = {row.name: row.status for row in workplace.tasks.branches(task.id)}
        status = known.get(name, PAUSED)
        # What the history says of an end is true; who wrote it may have died before the row said so too. One that
        # failed may be under way again.
        if report.status not in (COMPLETED, CANCELLED) and (report.status != FAILED or status not in _ENDED):
            status = standing(workplace, task.id, name, status)
            report = replace(report, status=PAUSED if status in _ENDED else status)
            waiting = find_waiting(workplace, task, repository, name) if status in (PAUSED, WAITING) else None
            if waiting is not None:
                report = replace(report, status=WAITING, waiting=waiting)
    return replace(report, revisions=tuple(revisions))


def is_scripted(workplace: Workplace, report: RunReport) -> bool:
    """Whether the models of the run were a file of replies."""
    askers = workplace.open_askers(report.usage) if report.usage["model_calls"] else None
    return askers is not None and askers.is_scripted


def _revision_of(repository: Repository, branch: str) -> Revised | None:
    """The machine's revision of the run that failed at the head of ``branch``."""
    branches = repository.branches()
    failed = repository.commit(branches[branch])
    if failed.kind != "failure":
        return None
    for name, head in branches.items():
        commit = _revision_commit(repository, head) if name != branch else None
        if commit is None:
            continue
        record = repository.reader.record(commit.tree)
        if record["revises"] == {"branch": branch, "commit": failed.id}:
            fork_point = repository.commit(commit.parents[0])
            kept = repository.reader.control(fork_point.tree).get("steps", 0)
            return Revised(name, branch, fork_point.id, commit.id, kept, record.get("number"))
    return None


def _revision_commit(repository: Repository, head: bytes) -> Commit | None:
    """The newest revision on a branch, where the machine made it."""
    for commit in repository.log(head):
        if commit.kind == "revision":
            return commit if commit.author == ENGINE else None
    return None
