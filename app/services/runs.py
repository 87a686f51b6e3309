"""Runs: take a branch's lease, go on from its head, say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.db.base import TaskRow
from app.errors import BranchMoved, LeaseHeld, ModelError, PlanNotClean, StorageError
from app.history.commits import Commit
from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.plan.dataflow import FINAL_ANSWER
from app.plan.model import Json
from app.plan.parse import plan_from_json
from app.services.leases import Heartbeat, hold_lease
from app.services.planning import commit_plan, require_askers, watcher_of, write_plan
from app.services.tasks import open_repository, positive_steps
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.vm.caller import Caller
from app.vm.decisions import Decisions, Place, Waiting
from app.vm.events import Listener, PlanningStarted, TokenSaid, ToolSaid
from app.vm.held_ledger import HeldLedger
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.limits import limit_reached
from app.vm.machine import Machine, RunResult
from app.vm.performer import Performer
from app.vm.scribe import Scribe
from app.vm.state import COMPLETED, FAILED, PAUSED, PLANNING, RUNNING, State
from app.vm.usage import NO_USAGE, known_usage


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended. ``final_answer`` is the JSON value as the plan left it, ``head`` a commit id."""

    task_id: str
    branch: str
    head: str
    status: str
    final_answer: Json
    steps: int
    usage: Mapping[str, Json]
    error: Mapping[str, Json] | None
    waiting: Waiting | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "branch": self.branch,
            "head": self.head,
            "status": self.status,
            "final_answer": self.final_answer,
            "steps": self.steps,
            "usage": dict(self.usage),
            "error": self.error,
            "waiting": self.waiting.to_json() if self.waiting is not None else None,
        }


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``on_held`` is told, again and again, that another worker holds the lease; it may raise to give up."""

    interrupts: Interrupts
    listener: Listener | None = None
    on_held: Callable[[LeaseHeld], None] | None = None
    max_steps: int | None = None


def run_branch(workplace: Workplace, task: TaskRow, branch: str, options: RunOptions) -> RunReport:
    """Run a branch from its head until it ends or waits; on one that has completed, give its answer.

    Raises ``NotFound`` (branch), ``BranchMoved`` where another worker took over, ``StorageError``, and
    ``KeyboardInterrupt`` where a stop was asked for: the run can be resumed then.
    """
    with open_repository(workplace, task) as repository:
        head = repository.commit(repository.head(branch))
        if repository.reader.control(head.tree).get("status") == COMPLETED:
            return report_at(repository, task, branch, head)
        with hold_lease(workplace, task, branch, options.interrupts, options.on_held) as heartbeat:
            repository.store.raise_fence(HEADS + branch, heartbeat.fence)
            _set_status(workplace, task, branch, RUNNING)
            try:
                report = _run(workplace, task, branch, repository, heartbeat, options)
            except (PlanNotClean, ModelError) as error:
                # No plan came about; the stop that says so is committed.
                workplace.tasks.note_run(task.id, branch, FAILED, workplace.clock_ms(), error=error.message)
                raise
            except BranchMoved:
                raise  # the branch is another worker's now, and so is its status
            except BaseException:
                # What went wrong is to be told; that the database can't note it adds nothing.
                with suppress(StorageError):
                    _set_status(workplace, task, branch, PAUSED)
                raise
            _set_status(workplace, task, branch, report.status, report)
        repository.store.finish()
        return report


def _run(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    repository: Repository,
    heartbeat: Heartbeat,
    options: RunOptions,
) -> RunReport:
    head = repository.head(branch)  # again: it may have moved before the lease was ours
    journal = Journal(
        repository.store,
        HEADS + branch,
        head,
        fence=heartbeat.fence,
        every_commit=workplace.flush_every_commit,
    )
    scribe = open_scribe(repository, task.id, journal)
    if scribe.state.status != COMPLETED:
        _raise_limit(workplace, scribe, options.max_steps)
    if scribe.state.status == COMPLETED or _still_limited(scribe):
        return report_at(repository, task, branch, repository.commit(repository.head(branch)))
    used = _used(repository, scribe)
    if scribe.plan is None:
        askers: Askers | None = _plan(workplace, task, branch, scribe, heartbeat, options, used)
    else:
        askers = workplace.open_askers(used)
    listener = options.listener
    with Performer(
        clock=workplace.clock_ms,
        watcher=None
        if listener is None
        else lambda call, message, fraction: listener(ToolSaid(call.seq_no, call.item, message, fraction)),
    ) as performer:
        machine = Machine(
            scribe=scribe,
            interpreter=Interpreter(plan_from_json(scribe.plan)),
            tools=workplace.catalog(scribe.goal.get("namespace")),
            caller=make_caller(workplace, task, branch, repository, scribe, performer, options, askers),
            interrupts=options.interrupts,
            listener=listener,
            thinker=askers,
        )
        with heartbeat.beating(options.interrupts):
            result = machine.run()
    return _report(task, branch, scribe.state, result)


def _plan(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    scribe: Scribe,
    heartbeat: Heartbeat,
    options: RunOptions,
    used: Mapping[str, Json],
) -> Askers:
    """Have a model write the plan that the task has not got yet. Gives the models: what they used counts on."""
    askers = require_askers(workplace, used)
    _set_status(workplace, task, branch, PLANNING)
    if options.listener is not None:
        options.listener(PlanningStarted(askers.model, askers.is_scripted))
    with heartbeat.beating(options.interrupts), options.interrupts.awaiting():
        planned = write_plan(workplace, scribe.goal, askers, watcher_of(options.listener))
    commit_plan(scribe, planned)
    _set_status(workplace, task, branch, RUNNING)
    return askers


def _used(repository: Repository, scribe: Scribe) -> Mapping[str, Json]:
    """What counts against the budgets of a run that goes on: where a sum is unknown, what is known of it."""
    usage = scribe.state.usage
    if None not in usage.values() or scribe.journal.head is None:
        return usage
    log = repository.log(scribe.journal.head)
    return known_usage(repository.reader.record(commit.tree) for commit in log)


def open_scribe(repository: Repository, task_id: str, journal: Journal) -> Scribe:
    """A scribe that stands at the journal's head."""
    assert journal.head is not None
    commit = repository.commit(journal.head)
    snapshot = repository.reader.snapshot(commit.tree)
    scribe = Scribe(journal, snapshot, task_id, time=commit.time)
    if scribe.tree_at(snapshot) == commit.tree:
        journal.sink.drain()  # it is all in the store: a run that is resumed writes what is new
    scribe.anchor = repository.anchor(commit).oid
    return scribe


def make_caller(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    repository: Repository,
    scribe: Scribe,
    performer: Performer,
    options: RunOptions,
    askers: Askers | None = None,
) -> Caller:
    """What makes the calls of a run that goes on from the scribe's head."""
    assert scribe.journal.head is not None
    return Caller(
        task_id=task.id,
        branch=branch,
        performer=performer,
        ledger=HeldLedger(workplace.ledger(task.id), options.interrupts),
        decisions=Decisions.since_last_step(repository, scribe.journal.head),
        anchor=lambda: scribe.anchor,
        clock_ms=workplace.clock_ms,
        max_result_bytes=scribe.limits.get("value_bytes", workplace.limits["value_bytes"]),
        thinker=askers,
        on_token=_token_listener(options.listener),
    )


def _token_listener(listener: Listener | None) -> Callable[[Place, str], None] | None:
    if listener is None:
        return None
    return lambda place, token: listener(TokenSaid(place.seq_no, place.item, token))


def _raise_limit(workplace: Workplace, scribe: Scribe, max_steps: int | None) -> None:
    """A limit that a person sets for a task that has begun is a decision, so it is a commit."""
    if max_steps is None or scribe.limits.get("steps") == positive_steps(max_steps):
        return
    scribe.decide(
        {
            "choice": "limit",
            "limits": {"steps": max_steps},
            "who": workplace.person,
            "decided_ms": workplace.clock_ms(),
        },
        author=workplace.person,
    )
    scribe.journal.flush()


def _still_limited(scribe: Scribe) -> bool:
    """Whether the run was stopped by a limit that still stands: then there is nothing to resume."""
    state = scribe.state
    return state.status == FAILED and bool(limit_reached(scribe.limits, state, state.worked_ms / 1000))


def _set_status(
    workplace: Workplace, task: TaskRow, branch: str, status: str, report: RunReport | None = None
) -> None:
    now = workplace.clock_ms()
    message = report.error["message"] if report is not None and report.error is not None else None
    steps = report.steps if report is not None else None
    workplace.tasks.note_run(task.id, branch, status, now, steps=steps, error=message)


def _report(task: TaskRow, branch: str, state: State, result: RunResult) -> RunReport:
    return RunReport(
        task.id,
        branch,
        result.head.hex(),
        result.status,
        state.variables.get(FINAL_ANSWER),
        state.steps,
        {**NO_USAGE, **state.usage},
        state.error,
        result.waiting,
    )


def report_at(repository: Repository, task: TaskRow, branch: str, commit: Commit) -> RunReport:
    """The report of a run that ended at ``commit``."""
    state = State.of(repository.reader.snapshot(commit.tree))
    return _report(task, branch, state, RunResult(state.status, commit.oid))
