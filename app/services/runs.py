"""Runs: take a branch's lease, go on from its head, say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from app.crash_points import reached
from app.db.base import TaskRow
from app.errors import (
    BranchMoved,
    ConfigurationError,
    InputError,
    LeaseHeld,
    ModelError,
    PlanNotClean,
    StorageError,
)
from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.plan.model import Json
from app.plan.parse import plan_from_json
from app.services.choices import with_choices
from app.services.kept_replies import KeptReplies
from app.services.leases import Heartbeat, hold_lease
from app.services.observing import observed
from app.services.planning import commit_plan, no_model, watcher_of, write_plan
from app.services.progress import ProgressNotes, progress_at, progress_here
from app.services.reports import Revised, RunReport, report_at, report_run
from app.services.reusing import open_reuse
from app.services.revising import find_unfinished, revise_failed
from app.services.scribes import open_scribe
from app.services.tasks import open_repository, positive_steps
from app.services.thinking import Askers
from app.services.thinking_runs import keeping, stop_thinking, thinking
from app.services.watching import watch_models
from app.services.workplace import Workplace
from app.vm.caller import Caller
from app.vm.decisions import Decisions
from app.vm.events import Flushed, Listener, PlanningStarted, ToolSaid
from app.vm.held_ledger import HeldLedger
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts, StopAsked
from app.vm.limits import limit_reached
from app.vm.machine import Machine, RunResult
from app.vm.performer import Performer
from app.vm.scheduler import WIDTH
from app.vm.scribe import Scribe
from app.vm.state import CANCELLED, COMPLETED, FAILED, PAUSED, PLANNING, RUNNING
from app.vm.usage import add_usage, known_usage


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``on_held`` is told, again and again, that another worker holds the lease; it may raise to give up.

    ``parallel``: how many calls may be under way at once.
    """

    interrupts: Interrupts
    listener: Listener | None = None
    on_held: Callable[[LeaseHeld], None] | None = None
    max_steps: int | None = None
    parallel: int = WIDTH


def run_branch(workplace: Workplace, task: TaskRow, branch: str, options: RunOptions) -> RunReport:
    """Run a branch from its head until it ends or waits; on one that has completed, give its answer.

    Where a step fails and the task's limits allow it, the plan is revised and the run goes on, on a new branch.
    Where it was asked to pause or was cancelled, the report's status says so.
    Raises ``NotFound`` (branch), ``BranchMoved`` where another worker took over, ``StorageError``, and
    ``KeyboardInterrupt`` where it was to stop at once: the run can be resumed then.
    """
    with open_repository(workplace, task) as repository:
        head = repository.commit(repository.head(branch))
        if repository.reader.control(head.tree).get("status") in (COMPLETED, CANCELLED):
            report = report_at(repository, task, branch, head)
            if branch == task.current_branch and task.status != report.status:
                # Who ended it was killed before it could say so.
                _set_status(workplace, task, branch, report.status, report)
            return report
        with observed(workplace, task, branch, options.listener) as run:
            options = replace(options, listener=run.listener)
            run.report = _run_and_revise(workplace, task, branch, repository, options)
        repository.store.finish()
        return run.report


def _run_and_revise(
    workplace: Workplace, task: TaskRow, branch: str, repository: Repository, options: RunOptions
) -> RunReport:
    revisions: list[Revised] = []
    while True:
        report, revised = _run_held(workplace, task, branch, repository, options)
        if revised is None:
            return replace(report, revisions=tuple(revisions))
        revisions.append(revised)
        branch = revised.branch


def _run_held(
    workplace: Workplace, task: TaskRow, branch: str, repository: Repository, options: RunOptions
) -> tuple[RunReport, Revised | None]:
    """Run one branch to its end while holding its lease, and say what revision follows."""
    with hold_lease(workplace, task, branch, options.interrupts, options.on_held) as heartbeat:
        repository.store.raise_fence(HEADS + branch, heartbeat.fence)
        reached("lease.fenced")
        heartbeat.confirm()
        revised = find_unfinished(workplace, task, branch, repository)
        if revised is not None:
            report = report_at(repository, task, branch, repository.commit(repository.head(branch)))
            _set_status(workplace, task, branch, report.status, report)
            _note_revised(workplace, task, repository, revised)
            return report, revised
        _set_status(workplace, task, branch, RUNNING)
        try:
            report, revised = _run(workplace, task, branch, repository, heartbeat, options)
            heartbeat.confirm()
        except (PlanNotClean, ModelError) as error:
            # No plan came about; the stop that says so is committed.
            workplace.tasks.note_run(task.id, branch, FAILED, workplace.clock_ms(), error=error.message)
            raise
        except BranchMoved:
            raise  # the branch is another worker's now, and so is its status
        except BaseException as error:
            heartbeat.raise_if_lost()
            # What stands in the way is to be seen by who looks at the task, which may be run by nobody who is told.
            reason = error.message if isinstance(error, ConfigurationError | InputError) else None
            # What went wrong is to be told; that the database can't note it adds nothing.
            with suppress(StorageError):
                workplace.tasks.note_run(task.id, branch, PAUSED, workplace.clock_ms(), error=reason)
            raise
        reached("run.over")
        _set_status(workplace, task, branch, report.status, report)
        if revised is not None:
            _note_revised(workplace, task, repository, revised)
        return report, revised


def _run(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    repository: Repository,
    heartbeat: Heartbeat,
    options: RunOptions,
) -> tuple[RunReport, Revised | None]:
    listener = options.listener
    head = repository.head(branch)  # again: it may have moved before the lease was ours
    notes = ProgressNotes(workplace, task, branch)

    def flushed(seconds: float) -> None:
        notes.flushed(scribe)
        if listener is not None:
            listener(Flushed(seconds))

    journal = Journal(
        repository.store,
        HEADS + branch,
        head,
        fence=heartbeat.fence,
        every_commit=workplace.flush_every_commit,
        on_flush=flushed,
    )
    scribe = open_scribe(repository, task.id, journal)
    heartbeat.on_beat = notes.note
    ended = scribe.state.status in (COMPLETED, CANCELLED)
    if not ended:
        raise_limit(workplace, scribe, options.max_steps)
    if ended or _still_limited(scribe):
        return report_at(repository, task, branch, repository.commit(repository.head(branch))), None
    replies = KeptReplies(HeldLedger(workplace.ledger(task.id), options.interrupts), branch)
    used = add_usage(_used(repository, scribe), replies.calls)
    askers = keeping(workplace.open_askers(used), replies, options.interrupts)
    revised = None
    try:
        if scribe.plan is None:
            try:
                _plan(workplace, task, branch, scribe, heartbeat, options, askers)
            finally:
                if scribe.journal.head != head:  # a plan, or a stop that says why there is none
                    replies.committed()
        result = _run_machine(workplace, task, branch, repository, scribe, heartbeat, options, askers)
        if result.status == FAILED:
            with thinking(heartbeat, options.interrupts, askers):
                revised = revise_failed(workplace, task, branch, repository, scribe, askers, options.listener)
            replies.committed()
            assert journal.head is not None
            result = replace(result, head=journal.head)  # a stop that says why there is no revision
    except StopAsked:
        result = stop_thinking(workplace, scribe, options.interrupts)
    if result.waiting is not None:
        result = replace(result, waiting=with_choices(repository, result.waiting))
    return report_run(task, branch, scribe.state, scribe.plan, result), revised


def _run_machine(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    repository: Repository,
    scribe: Scribe,
    heartbeat: Heartbeat,
    options: RunOptions,
    askers: Askers | None,
) -> RunResult:
    listener = options.listener
    with Performer(
        clock=workplace.clock_ms,
        beside=not options.interrupts.reaches_tools,
        watcher=None
        if listener is None
        else lambda call, message, fraction: listener(ToolSaid(call.seq_no, call.item, message, fraction)),
        listener=listener,
    ) as performer:
        machine = Machine(
            scribe=scribe,
            interpreter=Interpreter(plan_from_json(scribe.plan)),
            tools=workplace.catalog(scribe.goal.get("namespace")),
            caller=make_caller(
                workplace, task, branch, repository, scribe, performer, options, askers, heartbeat.fence
            ),
            interrupts=options.interrupts,
            listener=listener,
            thinker=askers,
            width=options.parallel,
        )
        with heartbeat.beating(options.interrupts):
            return machine.run()


def _plan(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    scribe: Scribe,
    heartbeat: Heartbeat,
    options: RunOptions,
    askers: Askers | None,
) -> None:
    """Have a model write the plan that the task has not got yet. Raises ``StopAsked``."""
    if askers is None:
        raise no_model()
    _set_status(workplace, task, branch, PLANNING)
    if options.listener is not None:
        options.listener(PlanningStarted(askers.model, askers.is_scripted))
    with thinking(heartbeat, options.interrupts, askers):
        planned = write_plan(workplace, scribe.goal, askers, watcher_of(options.listener, scribe.state.usage))
    reached("plan.written")
    commit_plan(scribe, planned)
    progress = progress_here(scribe)
    workplace.tasks.note_run(task.id, branch, RUNNING, workplace.clock_ms(), progress=progress)


def _used(repository: Repository, scribe: Scribe) -> Mapping[str, Json]:
    """What counts against the budgets of a run that goes on: where a sum is unknown, what is known of it."""
    usage = scribe.state.usage
    if None not in usage.values() or scribe.journal.head is None:
        return usage
    log = repository.log(scribe.journal.head)
    return known_usage(repository.reader.record(commit.tree) for commit in log)


def make_caller(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    repository: Repository,
    scribe: Scribe,
    performer: Performer,
    options: RunOptions,
    askers: Askers | None = None,
    fence: int | None = None,
) -> Caller:
    """What makes the calls of a run that goes on from the scribe's head. ``fence``: of the lease that it needs."""
    assert scribe.journal.head is not None
    ledger = workplace.ledger(task.id)
    if fence is not None:
        ledger = ledger.fenced(branch, fence)
    return Caller(
        task_id=task.id,
        branch=branch,
        performer=performer,
        ledger=HeldLedger(ledger, options.interrupts),
        decisions=Decisions.since_last_step(repository, scribe.journal.head),
        anchor=lambda: scribe.anchor,
        clock_ms=workplace.clock_ms,
        max_result_bytes=scribe.limits.get("value_bytes", workplace.limits["value_bytes"]),
        thinker=askers,
        watch=None if options.listener is None else partial(watch_models, options.listener),
        reuse=open_reuse(workplace, task, repository, branch, askers),
        secrets=workplace.secrets.of_plan(scribe.plan),
    )


def raise_limit(workplace: Workplace, scribe: Scribe, max_steps: int | None) -> None:
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
    progress = report.progress if report is not None else None
    workplace.tasks.note_run(task.id, branch, status, now, progress=progress, error=message)


def _note_revised(workplace: Workplace, task: TaskRow, repository: Repository, revised: Revised) -> None:
    """A revision's branch is the current one from here on."""
    progress = progress_at(repository, bytes.fromhex(revised.commit))
    workplace.tasks.note_run(task.id, revised.branch, PAUSED, workplace.clock_ms(), progress=progress)
