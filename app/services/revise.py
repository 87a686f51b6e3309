"""A person's revision: from a new plan to what it will do, and from there to a branch that can be run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.db.base import TaskRow
from app.errors import BaseMoved, BranchMoved, Conflict, InputError, NotFound, PlanRejected
from app.observability.watching import Bystanders
from app.plan.findings import Finding, has_errors
from app.plan.model import Json, Plan
from app.plan.parse import plan_from_json
from app.plan.paths import Path, format_path, parse_path
from app.planner.records import plan_record
from app.planner.revise import revise_plan
from app.planner.rounds import Planned
from app.services.branches import new_branch_name
from app.services.leases import find_holder
from app.services.planning import require_askers, watcher_of
from app.services.progress import progress_at
from app.services.reports import Revised
from app.services.reusing import Fork, called_beyond, earlier_of
from app.services.revising import Past, commit_revision, read_past
from app.services.tasks import check_plan_text, open_repository
from app.services.workplace import Workplace
from app.vm.attempted import Attempted
from app.vm.events import Listener, RevisionStarted
from app.vm.foresight import Foreseen, Foresight
from app.vm.forks import ForkPoint
from app.vm.interpreter import Interpreter
from app.vm.reuse import Policy, Reuse, Source
from app.vm.state import COMPLETED, RUNNING, State


@dataclass(frozen=True, slots=True)
class RevisionOptions:
    """``name`` is the new branch's, by default the next free ``revision-N``. ``policy`` is for ``irreversible`` calls
    whose tool was called beyond the fork point; ``None``: the namespace's."""

    name: str | None = None
    reuse: bool = True
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A revision that has not run: where it leaves ``branch``, what it will do, and what was done beyond that point.

    ``head`` is the commit (hex) of ``branch`` that it was worked out for. ``written_by`` is there where a model
    wrote it.
    """

    task: TaskRow
    branch: str
    head: str
    name: str
    plan: Plan
    fork_point: str
    kept: int
    foreseen: Sequence[Foreseen]
    beyond: Sequence[Attempted]
    options: RevisionOptions
    written_by: Planned | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task.id,
            "revises": self.branch,
            "branch": self.name,
            "fork_point": self.fork_point,
            "kept": self.kept,
            "foreseen": [each.to_json() for each in self.foreseen],
            "beyond": [each.to_json() for each in self.beyond],
        }


def current_plan(workplace: Workplace, task: TaskRow, branch: str) -> dict[str, Json]:
    """The plan document of a branch. Raises ``NotFound``, and ``Conflict`` where there is no plan yet."""
    with open_repository(workplace, task) as repository:
        plan = repository.reader.plan(repository.commit(repository.head(branch)).tree)
    if plan is None:
        raise _no_plan(branch)
    return plan


def _no_plan(branch: str) -> Conflict:
    return Conflict(f"branch {branch!r} has no plan yet", hint="`resume` has one written")


def set_in_step(plan: Mapping[str, Json], seq_no: int, path_text: str, value: Json) -> dict[str, Json]:
    """The plan document with one place of one step changed. Raises ``NotFound``, ``InputError`` for the path."""
    document: dict[str, Json] = json.loads(json.dumps(plan))
    steps = {step["seq_no"]: step for step in document["steps"]}
    if seq_no not in steps:
        raise NotFound("step", str(seq_no), hint="steps: " + ", ".join(map(str, steps)))
    path = parse_path(path_text)
    if not path:
        raise InputError(
            "the path of --set is empty", hint="for example parameters.tool_params.path='\"README.md\"'"
        )
    holder = steps[seq_no]
    for depth, key in enumerate(path[:-1]):
        holder = _member(holder, key, seq_no, path[: depth + 1])
    _member(holder, path[-1], seq_no, path)
    holder[path[-1]] = value
    return document


def _member(holder: Any, key: str | int, seq_no: int, path: Path) -> Any:
    """What lies at ``key``. Raises ``InputError`` that says what is there."""
    if isinstance(holder, dict) and key in holder:
        return holder[key]
    if isinstance(holder, list) and isinstance(key, int) and -len(holder) <= key < len(holder):
        return holder[key]
    if isinstance(holder, dict):
        there = ", ".join(holder) or "nothing"
    else:
        there = f"{len(holder)} items" if isinstance(holder, list) else "no object and no list"
    raise InputError(
        f"step {seq_no} has no {format_path(path)}", hint=f"there is: {there}; `revise --edit` can add to it"
    )


def check_revision(
    workplace: Workplace, task: TaskRow, text: str | bytes
) -> tuple[Plan | None, list[Finding]]:
    """A plan as the task's namespace sees it, with the checker's findings."""
    return check_plan_text(workplace, text, task.namespace)


def suggest_revision(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    suggestion: str,
    only_step: int | None = None,
    listener: Listener | None = None,
) -> Planned:
    """Have the reasoning model revise the plan, or one step of it. Nothing is kept of it yet.

    Raises ``InputError`` for an empty suggestion, ``PlanNotClean``, ``ModelError``, ``ConfigurationError``.
    """
    if not suggestion.strip():
        raise InputError("the suggestion is empty", hint="say in your own words what should be different")
    askers = require_askers(workplace)
    with open_repository(workplace, task) as repository:
        snapshot = repository.reader.snapshot(repository.commit(repository.head(branch)).tree)
    if snapshot.plan is None:
        raise _no_plan(branch)
    plan = plan_from_json(snapshot.plan)
    if only_step is not None and only_step not in {step.seq_no for step in plan.steps}:
        raise NotFound("step", str(only_step), hint="steps: " + ", ".join(str(s.seq_no) for s in plan.steps))
    if workplace.observers:
        listener = Bystanders(workplace.observers, listener).hear
    if listener is not None:
        listener(RevisionStarted(askers.model, askers.is_scripted, 1, 1))
    watcher = watcher_of(listener)
    return revise_plan(
        askers.reasoning.followed_by(watcher.of_calls),
        goal=snapshot.goal["goal"],
        catalog=workplace.catalog(task.namespace),
        plan=plan,
        variables=snapshot.variables,
        error=snapshot.control.get("error"),
        response_format=snapshot.goal.get("response_format"),
        suggestion=suggestion,
        only_step=only_step,
        on_round=watcher.on_round,
        on_token=watcher.on_token,
    )


def propose_revision(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    plan: Plan,
    options: RevisionOptions,
    written_by: Planned | None = None,
) -> Proposal:
    """Work out what ``plan`` would do to ``branch``. Nothing is kept.

    Raises ``NotFound`` (branch), ``PlanRejected``, ``Conflict`` where there is no plan yet, where a worker runs the
    branch and no name was given (with one, it forks from what is committed), or where there is a branch of that name.
    """
    findings = check_revision(workplace, task, json.dumps(plan.to_json()))[1]
    if has_errors(findings):
        raise PlanRejected(findings)
    with open_repository(workplace, task) as repository:
        if repository.reader.plan(repository.commit(repository.head(branch)).tree) is None:
            raise _no_plan(branch)
        if options.name is None:
            _refuse_running(workplace, task, branch)
        name = new_branch_name(repository, options.name, "revision")
        past = read_past(workplace, task, repository, branch, workplace.catalog(task.namespace))
        fork = past.fork_point(plan)
        beyond = [*past.attempted(fork.beyond), *past.underway(fork.beyond)]
        foreseen = _foresee(workplace, task, past, fork, plan, options)
        head = past.commits[-1].id
    return Proposal(
        task,
        branch,
        head,
        name,
        plan,
        fork.commit.id,
        len(fork.kept),
        foreseen,
        beyond,
        options,
        written_by,
    )


def accept_revision(workplace: Workplace, proposal: Proposal) -> Revised:
    """Commit a proposal as a branch of its own, and make that one the task's current branch.

    Raises ``BaseMoved`` where the branch that it revises has moved since, ``Conflict`` where its name was taken.
    """
    how = plan_record(proposal.written_by) if proposal.written_by is not None else {}
    return accept_plan(
        workplace,
        proposal.task,
        Base(proposal.branch, proposal.head),
        proposal.plan,
        proposal.name,
        proposal.options,
        how,
    )


class Base(NamedTuple):
    """What is revised: a branch, and the commit (hex) that it stood at."""

    branch: str
    head: str


def accept_plan(
    workplace: Workplace,
    task: TaskRow,
    base: Base,
    plan: Plan,
    name: str,
    options: RevisionOptions,
    how: Mapping[str, Json],
) -> Revised:
    """As :func:`accept_revision`. ``how`` is what the record says of how the plan came about."""
    with open_repository(workplace, task) as repository:
        if repository.head(base.branch).hex() != base.head:
            raise BaseMoved(
                f"branch {base.branch!r} has moved since the revision was worked out", hint="revise again"
            )
        catalog = workplace.catalog(task.namespace)
        past = read_past(workplace, task, repository, base.branch, catalog, bytes.fromhex(base.head))
        record: dict[str, Any] = {"decided_ms": workplace.clock_ms(), **how, "who": workplace.person}
        if not options.reuse:
            record["reuse"] = False
        if options.policy is not None:
            record["irreversible"] = options.policy
        fork = past.fork_point(plan)
        try:
            revised = commit_revision(task.id, past, fork, plan, name, record, author=workplace.person)
        except BranchMoved:
            message = f"a branch {name!r} was made meanwhile"
            raise Conflict(message, hint="revise again, or give another --name") from None
        status = COMPLETED if fork.pc is None else "paused"
        progress = progress_at(repository, bytes.fromhex(revised.commit))
    workplace.tasks.note_run(task.id, name, status, workplace.clock_ms(), progress=progress)
    return revised


def _refuse_running(workplace: Workplace, task: TaskRow, branch: str) -> None:
    holder = find_holder(workplace, task.id, branch)
    if holder is not None:
        raise Conflict(
            f"branch {branch!r} is being run by {holder[0]}",
            hint="wait for it, or give --name: that forks from what is committed",
        )


def _foresee(
    workplace: Workplace,
    task: TaskRow,
    past: Past,
    fork: ForkPoint,
    plan: Plan,
    options: RevisionOptions,
) -> list[Foreseen]:
    snapshot = past.repository.reader.snapshot(fork.commit.tree)
    state = State.of(snapshot)
    state.pc, state.visits = fork.pc, dict(fork.visits)
    state.status = COMPLETED if fork.pc is None else RUNNING
    source = Source(past.branch, bytes.fromhex(past.commits[-1].id))
    again = called_beyond(workplace, task, past.repository, Fork(source, fork.commit.oid, {}))
    look: Callable[[], Any] = lambda: earlier_of(  # noqa: E731
        workplace,
        task,
        past.repository,
        fork.commit.oid,
        source,
        enabled=options.reuse,
        policy=options.policy,
        again=again,
    )
    askers = workplace.open_askers({})
    knows = (lambda mind: True) if askers is None else askers.knows
    reuse = Reuse(look, past.ledger, knows)
    return Foresight(Interpreter(plan), state, workplace.catalog(task.namespace), reuse).look()
