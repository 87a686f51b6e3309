"""Revisions: a new plan for a task, on a branch of its own that leaves the old one at the fork point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.crash_points import reached
from app.db.base import Ledger, TaskRow
from app.errors import ModelError, PlanNotClean, StepError
from app.history.commits import ENGINE, Commit
from app.history.repository import Repository
from app.plan.findings import Finding, error
from app.plan.model import Plan, Step
from app.plan.parse import plan_from_json
from app.planner.records import plan_record, rounds_record
from app.planner.revise import revise_plan
from app.services.branches import new_branch_name
from app.services.planning import PlanningWatcher, watcher_of
from app.services.reports import Revised
from app.services.scribes import open_fork
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.tools.registry import Catalog
from app.vm.attempted import Attempted, attempted_at, attempted_calls
from app.vm.events import Listener, NotRevised, RevisionMade, RevisionStarted
from app.vm.forks import PLAN_KINDS, ForkPoint, find_fork_point
from app.vm.records import Record
from app.vm.scribe import Scribe
from app.vm.state import State, visits_document

_STARTS: Final = PLAN_KINDS | {"edit"}


@dataclass(frozen=True, slots=True)
class Past:
    """What a branch has behind it; ``commits`` oldest first."""

    repository: Repository
    ledger: Ledger
    branch: str
    commits: Sequence[Commit]
    tool_name: Callable[[str], str]
    effect_of: Callable[[str], str] = lambda tool: "irreversible"

    def fork_point(self, plan: Plan) -> ForkPoint:
        """Where ``plan`` leaves the branch."""
        return find_fork_point(self.repository.reader, self.commits, plan, self.tool_name)

    def attempted(self, commits: Sequence[Commit]) -> list[Attempted]:
        """The calls among ``commits`` that may have changed the outside."""
        return list(attempted_calls(self.repository.reader, self.ledger, commits))

    def underway(self, commits: Sequence[Commit]) -> list[Attempted]:
        """The calls that the step at the head may have made, where none of ``commits`` tells of them."""
        state = State.of(self.repository.reader.snapshot(self.commits[-1].tree))
        told = {(call.seq_no, call.visit) for call in self.attempted(commits)}
        if state.pc is None or (state.pc, state.visit(state.pc)) in told:
            return []
        return [
            Attempted(None, state.pc, state.visit(state.pc), tool, self.effect_of(tool))
            for tool in sorted(attempted_at(self.ledger, self.branch, state))
        ]


def read_past(
    workplace: Workplace,
    task: TaskRow,
    repository: Repository,
    branch: str,
    catalog: Catalog,
    head: bytes | None = None,
) -> Past:
    """The past of a branch as it stands, or as it stood at ``head``. Raises ``NotFound``."""
    commits = list(repository.log(repository.head(branch) if head is None else head))[::-1]

    def tool_name(name: str) -> str:
        signature = catalog.signature(name)
        return name if signature is None else signature.name

    def effect_of(name: str) -> str:
        try:
            return catalog.find(name).effect
        except StepError:
            return "irreversible"  # as of any tool of which nothing is known

    return Past(repository, workplace.ledger(task.id), branch, commits, tool_name, effect_of)


def commit_revision(
    task_id: str,
    past: Past,
    fork: ForkPoint,
    plan: Plan,
    name: str,
    record: Record,
    *,
    author: str | None,
) -> Revised:
    """Commit ``plan`` above the fork point, as the branch ``name``, which comes into being with it.

    Raises ``BranchMoved`` where there is such a branch.
    """
    scribe = open_fork(past.repository, task_id, fork.commit.oid, name)
    record = {
        **record,
        "pc": fork.pc,
        "visits": visits_document(fork.visits),
        "revises": {"branch": past.branch, "commit": past.commits[-1].id},
    }
    commit = scribe.revise(plan, record, author=author)
    scribe.journal.flush()
    reached("revision.committed")
    return Revised(name, past.branch, fork.commit.id, commit.hex(), len(fork.kept), record.get("number"))


def revise_failed(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    repository: Repository,
    scribe: Scribe,
    askers: Askers | None,
    listener: Listener | None = None,
) -> Revised | None:
    """Have the reasoning model revise the plan of a run whose last step failed, and commit what it writes.

    ``None`` where the run ends here: it is not to be revised (again), the failed step may have changed the
    outside, or no revision came about, which a ``stop`` then says.
    """
    tell = listener or (lambda event: None)
    catalog = workplace.catalog(scribe.goal.get("namespace"))
    past = read_past(workplace, task, repository, branch, catalog)
    allowed, number = scribe.limits.get("revisions", 0), _revisions_so_far(past) + 1
    failure = past.commits[-1]
    if allowed == 0 or failure.kind != "failure" or scribe.state.error is None:
        return None
    if number > allowed:
        tell(NotRevised(f"the plan was revised {allowed} times, which is all MAX_REVISIONS allows"))
        return None
    if past.attempted([failure]) or attempted_at(past.ledger, branch, scribe.state):
        tell(NotRevised("the step that failed may have changed the outside: a new plan can't undo that"))
        return None
    if askers is None:
        tell(NotRevised("no model is configured to revise the plan"))
        return None
    tell(RevisionStarted(askers.model, askers.is_scripted, number, allowed))
    planned = _ask(past, scribe, catalog, askers, watcher_of(listener, scribe.state.usage))
    if isinstance(planned, _NoPlan):
        scribe.stop(planned.record)
        scribe.journal.flush()
        tell(NotRevised(planned.record["message"]))
        return None
    plan, record = planned
    record |= {"number": number, "error": scribe.state.error, **_used_so_far(scribe)}
    fork = past.fork_point(plan)
    revised = commit_revision(
        task.id, past, fork, plan, new_branch_name(repository, None, "revision"), record, author=None
    )
    tell(RevisionMade(revised.branch, revised.fork_point, revised.kept, plan))
    return revised


def find_unfinished(
    workplace: Workplace, task: TaskRow, branch: str, repository: Repository
) -> Revised | None:
    """The machine's own revision of the failed run on ``branch``, where the process ended before anybody knew of it.

    Such a branch has no row yet.
    """
    heads = repository.branches()
    head = repository.commit(heads[branch])
    if head.kind != "failure":
        return None
    known = {row.name for row in workplace.tasks.branches(task.id)}
    for name, oid in heads.items():
        commit = repository.commit(oid)
        if name in known or commit.kind != "revision" or commit.author != ENGINE:
            continue
        record = repository.reader.record(commit.tree)
        if record["revises"] == {"branch": branch, "commit": head.id}:
            fork_point = repository.commit(commit.parents[0])
            kept = repository.reader.control(fork_point.tree).get("steps", 0)
            return Revised(name, branch, fork_point.id, commit.id, kept, record["number"])
    return None


@dataclass(frozen=True, slots=True)
class _NoPlan:
    """Why there is no revision, as the record of a ``stop``."""

    record: dict[str, Any]


def _ask(
    past: Past, scribe: Scribe, catalog: Catalog, askers: Askers, watcher: PlanningWatcher
) -> tuple[Plan, Record] | _NoPlan:
    """A clean plan that does nothing again that must not be done again, with its record."""
    old = plan_from_json(scribe.plan)
    try:
        planned = revise_plan(
            askers.reasoning.followed_by(watcher.of_calls),
            goal=scribe.goal["goal"],
            catalog=catalog,
            plan=old,
            variables=scribe.state.variables,
            error=scribe.state.error,
            must_keep=_steps_to_keep(past, old),
            refuse=lambda plan: _done_again(past, plan),
            response_format=scribe.goal.get("response_format"),
            on_round=watcher.on_round,
            on_token=watcher.on_token,
        )
    except (PlanNotClean, ModelError) as trouble:
        return _NoPlan(_stop_record(scribe, trouble))
    return planned.plan, plan_record(planned)


def _stop_record(scribe: Scribe, trouble: PlanNotClean | ModelError) -> dict[str, Any]:
    assert scribe.state.error is not None
    message = f"{scribe.state.error['message']}; and there is no revision: {trouble.message}"
    record: dict[str, Any] = {"reason": "revision", "message": message}
    if isinstance(trouble, PlanNotClean):
        return record | rounds_record(trouble.rounds)
    if trouble.calls:
        record["model_calls"] = [call.to_json() for call in trouble.calls]
        record["started_ms"] = min(call.started_ms for call in trouble.calls)
        record["ended_ms"] = max(call.ended_ms for call in trouble.calls)
    return record


def _steps_to_keep(past: Past, plan: Plan) -> list[Step]:
    """The steps of ``plan``, the one that runs, that may have changed the outside."""
    kept = past.fork_point(plan).kept
    attempted = {attempt.commit for attempt in past.attempted([step.commit for step in kept])}
    numbers = {step.seq_no for step in kept if step.commit.id in attempted}
    return [step for step in plan.steps if step.seq_no in numbers]


def _done_again(past: Past, plan: Plan) -> list[Finding]:
    """What ``plan`` would do again that must not be done again."""
    fork = past.fork_point(plan)
    return [
        error(
            "R001",
            attempt.seq_no,
            "",
            f"step {attempt.seq_no} of the plan that failed called {attempt.tool}, which changed the outside;"
            f" the new plan goes another way from step {fork.pc} on, and would have to do it again",
            "keep the steps up to it as they are, and change only what comes after them",
        )
        for attempt in past.attempted(fork.beyond)
    ]


def _revisions_so_far(past: Past) -> int:
    """How many revisions the machine has made since a person gave a plan or changed something."""
    for commit in reversed(past.commits):
        if commit.kind == "revision" and commit.author == ENGINE:
            number: int = past.repository.reader.record(commit.tree)["number"]
            return number
        if commit.kind in _STARTS:
            return 0
    return 0


def _used_so_far(scribe: Scribe) -> dict[str, Any]:
    """What is used up stays used up, also where the fork point is before it."""
    used: dict[str, Any] = {"worked_ms": scribe.state.worked_ms}
    if scribe.state.usage:
        used["usage"] = scribe.state.usage
    return used
