"""Looking at a task: what its state is, what each step did, what its log says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.db.base import TaskRow
from app.errors import NotFound
from app.history.commits import Commit
from app.history.repository import Repository
from app.plan.model import Json
from app.plan.parse import plan_from_json
from app.plan.values import to_json_text
from app.services.branches import BranchView, list_branches, status_of
from app.services.digests import Digester
from app.services.tasks import open_repository
from app.services.waiting import find_waiting
from app.services.workplace import Workplace
from app.vm.decisions import Waiting
from app.vm.forks import find_fork_point
from app.vm.moments import Moments
from app.vm.usage import NO_USAGE


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of the plan and what became of it by the commit that is looked at.

    ``state`` is ``done``, ``failed``, ``next``, ``waiting`` or ``pending``; ``visits`` counts its commits.
    """

    seq_no: int
    type: str
    description: str | None
    tool: str | None
    state: str
    visits: int
    commit: str | None
    parameters: Json

    def to_json(self) -> dict[str, Json]:
        return {
            "seq_no": self.seq_no,
            "type": self.type,
            "description": self.description,
            "tool": self.tool,
            "state": self.state,
            "visits": self.visits,
            "commit": self.commit,
            "parameters": self.parameters,
        }


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task at a commit. ``branch`` is ``None`` where the commit was named by its id."""

    task: TaskRow
    branch: str | None
    commit: Commit
    status: str
    goal: dict[str, Json]
    branches: list[BranchView]
    steps: list[StepView]
    variables: dict[str, Json]
    steps_executed: int
    usage: dict[str, Json]
    error: dict[str, Json] | None
    waiting: Waiting | None

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task.id,
            "goal": self.task.goal,
            "namespace": self.task.namespace,
            "response_format": self.goal.get("response_format"),
            "limits": self.goal.get("limits"),
            "history": self.task.store,
            "current_branch": self.task.current_branch,
            "created_ms": self.task.created_ms,
            "branch": self.branch,
            "commit": self.commit.id,
            "status": self.status,
            "steps": self.steps_executed,
            "usage": self.usage,
            "branches": [branch.to_json() for branch in self.branches],
            "plan": [step.to_json() for step in self.steps],
            "variables": self.variables,
            "error": self.error,
            "waiting": self.waiting.to_json() if self.waiting is not None else None,
        }


def show_task(workplace: Workplace, task: TaskRow, revision: str | None) -> TaskView:
    """The task at a revision, by default the head of its current branch. Raises ``NotFound``, ``Ambiguous``."""
    branches = list_branches(workplace, task)
    name = revision if revision is not None else task.current_branch
    branch = next((branch for branch in branches if branch.name == name), None)
    with open_repository(workplace, task) as repository:
        commit = repository.resolve(name)
        snapshot = repository.reader.snapshot(commit.tree)
        status = branch.status if branch is not None else status_of(snapshot.control)
        # Whether the head waits is asked of the attempts: a process that died could not note it.
        waiting = find_waiting(workplace, task, repository, branch.name) if branch is not None else None
        steps = view_steps(repository, commit, snapshot.plan or {}, snapshot.control, waiting)
    return TaskView(
        task,
        branch.name if branch is not None else None,
        commit,
        "waiting" if waiting is not None else status,
        snapshot.goal,
        branches,
        steps,
        snapshot.variables,
        snapshot.control.get("steps", 0),
        {**NO_USAGE, **snapshot.control.get("usage", {})},
        snapshot.control.get("error"),
        waiting,
    )


def view_steps(
    repository: Repository,
    commit: Commit,
    plan: dict[str, Any],
    control: dict[str, Any],
    waiting: Waiting | None,
) -> list[StepView]:
    newest: dict[int, Commit] = {}
    visits: dict[int, int] = {}
    for past, seq_no in _executed(repository, commit, plan):
        newest[seq_no] = past
        visits[seq_no] = visits.get(seq_no, 0) + (past.kind == "step")
    views = []
    for step in plan.get("steps", []):
        seq_no = step["seq_no"]
        last = newest.get(seq_no)
        parameters = step.get("parameters", {})
        views.append(
            StepView(
                seq_no,
                step["type"],
                step.get("description"),
                parameters.get("tool_name") if step["type"] == "calling" else None,
                _step_state(seq_no, last, control, waiting),
                visits.get(seq_no, 0),
                last.id if last is not None else None,
                parameters,
            )
        )
    return views


def _executed(repository: Repository, commit: Commit, plan: dict[str, Any]) -> Iterator[tuple[Commit, int]]:
    """The steps and failures up to ``commit``, oldest first, by their numbers in ``plan``.

    Before a revision they have the numbers of another plan: there, both plans are followed side by side.
    """
    commits = list(repository.log(commit.oid))[::-1]
    numbers: dict[bytes, int] = {}
    if any(each.kind in ("revision", "push") for each in commits):
        kept = find_fork_point(repository.reader, commits, plan_from_json(plan)).kept
        numbers = {step.commit.oid: step.seq_no for step in kept}
    for past in commits:
        if past.seq_no is not None and past.kind in ("step", "failure"):
            yield past, numbers.get(past.oid, past.seq_no)


def _step_state(seq_no: int, last: Commit | None, control: dict[str, Any], waiting: Waiting | None) -> str:
    if waiting is not None and waiting.place.seq_no == seq_no:
        return "waiting"
    if last is not None and last.kind == "failure":
        return "failed"
    if control.get("pc") == seq_no:
        return "next"
    return "done" if last is not None else "pending"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit of a log, with its record and its digest where they were asked for."""

    commit: Commit
    record: dict[str, Any] | None = None
    digest: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        commit = self.commit
        entry: dict[str, Any] = {
            "commit": commit.id,
            "parent": commit.before.hex() if commit.before is not None else None,
            "kind": commit.kind,
            "seq_no": commit.seq_no,
            "tool": commit.trailers.get("Tool"),
            "subject": commit.subject,
            "author": commit.author,
            "time": commit.time,
        }
        if self.record is not None:
            entry["record"] = self.record
        if self.digest is not None:
            entry["digest"] = dict(self.digest)
        return entry


def read_log(
    workplace: Workplace, task: TaskRow, revision: str | None, *, with_records: bool = False
) -> Iterator[LogEntry]:
    """The commits of a branch or revision, newest first. Raises ``NotFound``, ``Ambiguous``."""
    with open_repository(workplace, task) as repository:
        start = repository.resolve(revision if revision is not None else task.current_branch)
        for commit in repository.log(start.oid):
            record = repository.reader.record(commit.tree) if with_records else None
            yield LogEntry(commit, record)


RECORDS_BYTES: Final = 4 << 20
"""About how much JSON the records of a page of the log are at most; one is given, however long."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some commits of a line of history, newest first. ``after`` is the id of the one that follows, if any."""

    start: Commit
    entries: list[LogEntry]
    after: str | None


def read_log_page(
    workplace: Workplace,
    task: TaskRow,
    revision: str | None,
    limit: int,
    start: str | None = None,
    *,
    with_records: bool = False,
    with_digests: bool = False,
) -> LogPage:
    """Up to ``limit`` commits from a revision on, fewer where records are long; or from ``start``, the ``after``
    of the page before, which costs the same wherever it is.

    Raises ``NotFound``, ``Ambiguous``, ``InputError``.
    """
    with open_repository(workplace, task) as repository:
        if start is None:
            first = repository.resolve(revision if revision is not None else task.current_branch)
        else:
            first = repository.resolve(start)
        entries: list[LogEntry] = []
        room = RECORDS_BYTES
        for commit, digest in _line(repository, first, with_digests):
            if len(entries) == limit or room <= 0:
                return LogPage(first, entries, commit.id)
            record = repository.reader.record(commit.tree) if with_records else None
            entries.append(LogEntry(commit, record, digest))
            room -= len(to_json_text(record)) if record is not None else 0
        return LogPage(first, entries, None)


def _line(
    repository: Repository, first: Commit, with_digests: bool
) -> Iterator[tuple[Commit, dict[str, Any] | None]]:
    if not with_digests:
        yield from ((commit, None) for commit in repository.log(first.oid))
        return
    for moment, digest in Digester(Moments(repository)).line(first.oid):
        yield moment.commit, digest.to_json()


def find_commit(workplace: Workplace, task: TaskRow, revision: str | None) -> Commit:
    """The commit that a revision means, by default the head of the current branch.

    Raises ``NotFound``, ``Ambiguous``, ``InputError``.
    """
    with open_repository(workplace, task) as repository:
        return repository.resolve(revision if revision is not None else task.current_branch)


def read_entry(workplace: Workplace, task: TaskRow, revision: str) -> LogEntry:
    """One commit with its record. Raises as :func:`find_commit`."""
    with open_repository(workplace, task) as repository:
        commit = repository.resolve(revision)
        return LogEntry(commit, repository.reader.record(commit.tree))


def read_plan(workplace: Workplace, task: TaskRow, revision: str) -> dict[str, Json]:
    """The plan document of a commit. Raises ``NotFound`` where there was none yet, and as :func:`find_commit`."""
    with open_repository(workplace, task) as repository:
        plan = repository.reader.plan(repository.resolve(revision).tree)
    if plan is None:
        raise NotFound("plan", revision, hint="it is of before there was a plan; `log` lists the commits")
    return plan
