"""Push to fork and run: a plan that a client of git committed becomes a branch, and is run.

What was pushed is looked at before any of it is stored. Then the client's commits lie in the history as they were
made, and above them one of the engine's, whose state is that of the fork point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from app.crash_points import reached
from app.db.base import Progress, TaskRow
from app.errors import BranchMoved, Busy, Conflict, InputError, PlanRejected
from app.history.base import RawObject
from app.history.canonical import parse_canonical
from app.history.pushed import PushedCommit, PushedLine, read_pushed
from app.history.reachable import Graph
from app.history.refnames import HEADS, check_new_branch_name, conflicting_ref
from app.history.repository import Repository
from app.history.warm import WarmRepository
from app.plan.findings import Finding, error, has_errors
from app.plan.model import Plan
from app.plan.parse import PlanSyntaxError, plan_from_json
from app.queue.base import RunQueue
from app.services.progress import progress_at
from app.services.queueing import queue_run
from app.services.revising import Past, read_past
from app.services.scribes import open_fork
from app.services.tasks import check_plan_text, open_repository
from app.services.workplace import Workplace
from app.vm.attempted import Attempted
from app.vm.forks import ForkPoint
from app.vm.state import COMPLETED, PAUSED, visits_document


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that was taken. ``commit`` is the engine's, on top of ``pushed``, the client's; ``revises`` the branch
    that it leaves behind ``fork_point``. ``findings`` are the checker's warnings, ``beyond`` the calls behind the
    fork point that may have changed the outside. ``trouble`` says why it does not run yet.
    """

    task: TaskRow
    branch: str
    pushed: str
    commit: str
    revises: str
    fork_point: str
    kept: int
    next_step: int | None
    findings: Sequence[Finding]
    beyond: Sequence[Attempted]
    trouble: str | None = None


_MOST_SHOWN: Final = 20


def take_push(
    workplace: Workplace,
    queue: RunQueue,
    task: TaskRow,
    branch: str,
    tip: bytes,
    objects: Mapping[bytes, RawObject],
) -> Pushed:
    """Make ``branch`` of the client's commit ``tip``, which is among ``objects`` or known, and queue its run.

    Raises ``Forbidden``, ``Conflict`` where there is such a branch, ``PlanRejected``, and ``InputError`` for whatever
    else may not be pushed; nothing is kept then.
    """
    workplace.actor.require("operator")
    check_new_branch_name(branch)
    with open_repository(workplace, task) as opened:
        _refuse_taken(opened, branch)
        repository = WarmRepository(opened.store)
        repository.read_lines(opened.branches().values())
        lines = _Lines(repository, task.current_branch)
        line = read_pushed(lambda oid: objects.get(oid) or repository.store.read(oid), tip, lines.has)
        plan, findings = _checked_plan(workplace, task, repository, line)
        source = lines.branch_of(line.base.oid)
        past = read_past(workplace, task, repository, source, workplace.catalog(task.namespace))
        fork = past.fork_point(plan)
        repository.read_state(fork.commit.oid)
        made = _commit(workplace, task, past, fork, branch, plan, line, objects)
        progress = progress_at(repository, made)
        beyond = [*past.attempted(fork.beyond), *past.underway(fork.beyond)]
    reached("push.committed")
    trouble = _queue(workplace, queue, task, branch, fork, progress)
    return Pushed(
        task,
        branch,
        tip.hex(),
        made.hex(),
        source,
        fork.commit.id,
        len(fork.kept),
        fork.pc,
        findings,
        beyond,
        trouble,
    )


@contextmanager
def read_known(workplace: Workplace, task: TaskRow) -> Iterator[Callable[[bytes], RawObject | None]]:
    """Finds what the task has already, within the block: what was sent may build on it."""
    with open_repository(workplace, task) as repository:
        store = repository.store
        yield lambda oid: store.read(oid) if store.has(oid) else None


def _refuse_taken(repository: Repository, branch: str) -> None:
    """Before anything is written: on disk, objects are there before it is known whether their ref can be."""
    refs = repository.store.refs()
    if HEADS + branch in refs:
        raise Conflict(f"there is a branch {branch!r} already", hint="a push makes branches, and moves none")
    other = conflicting_ref(HEADS + branch, refs)
    if other is not None:
        raise Conflict(f"there is a branch {other.removeprefix(HEADS)!r}, beside which git has no {branch!r}")


class _Lines:
    """The commits of the task's runs: which there are, and of which branch. What was pushed is not among them."""

    def __init__(self, repository: Repository, current: str) -> None:
        heads = repository.branches()
        graph = Graph(repository.store)
        self._branch: dict[bytes, str] = {}
        for name in sorted(heads, key=lambda name: (name != current, name)):
            oid: bytes | None = heads[name]
            while oid is not None and oid not in self._branch:
                self._branch[oid] = name
                node = graph.node(oid)
                oid = node.parents[-1] if node is not None and node.parents else None

    def has(self, oid: bytes) -> bool:
        return oid in self._branch

    def branch_of(self, oid: bytes) -> str:
        """The branch that has the commit: the current one, or the first by name."""
        return self._branch[oid]


def _checked_plan(
    workplace: Workplace, task: TaskRow, repository: Repository, line: PushedLine
) -> tuple[Plan, list[Finding]]:
    if repository.reader.plan(line.base.tree) is None:
        raise Conflict(
            "the task had no plan there yet", hint="commit on top of one of its plan, or a later one"
        )
    was = repository.reader.top(line.base.tree)["plan.json"].oid
    if not line.commits or line.commits[-1].plan.oid == was:
        raise Conflict(
            "plan.json is what it was: there is nothing to run", hint="change it, commit, push again"
        )
    for made in line.commits:
        _require_plan(made)
    plan, findings = check_plan_text(workplace, line.commits[-1].plan.data, task.namespace)
    if plan is None or has_errors(findings):
        raise PlanRejected(findings)
    return plan, findings


def _require_plan(made: PushedCommit) -> None:
    """JSON and nothing around it, as in a model's reply, and a plan: whoever looks at the commit can read it."""
    try:
        plan_from_json(parse_canonical(made.plan.data))
    except PlanSyntaxError as problem:
        faults = [error("P001", each.step, each.path, each.message, each.hint) for each in problem.problems]
        raise PlanRejected(faults) from None
    except (ValueError, RecursionError) as trouble:
        hint = "give a list of steps or an object with steps"
        message = f"plan.json of commit {made.commit.id[:12]} is not JSON: {trouble}"
        raise PlanRejected([error("P001", None, "", message, hint)]) from None


def _commit(
    workplace: Workplace,
    task: TaskRow,
    past: Past,
    fork: ForkPoint,
    branch: str,
    plan: Plan,
    line: PushedLine,
    objects: Mapping[bytes, RawObject],
) -> bytes:
    """The branch with everything it reaches, in one write."""
    scribe = open_fork(past.repository, task.id, fork.commit.oid, branch)
    for made in line.commits:
        for item in (made.raw, made.tree, made.plan):
            if item.oid in objects:
                scribe.journal.sink.add(item.kind, item.data)
    record: dict[str, Any] = {
        "who": workplace.person,
        "decided_ms": workplace.clock_ms(),
        "pushed": line.commits[-1].commit.id,
        "pc": fork.pc,
        "visits": visits_document(fork.visits),
        "revises": {"branch": past.branch, "commit": past.commits[-1].id},
    }
    try:
        commit = scribe.push(plan, record, author=workplace.person)
        scribe.journal.flush()
    except BranchMoved:
        raise Conflict(f"a branch {branch!r} was made meanwhile", hint="push under another name") from None
    return commit


def _queue(
    workplace: Workplace, queue: RunQueue, task: TaskRow, branch: str, fork: ForkPoint, progress: Progress
) -> str | None:
    """Have it run; gives why that was not possible. The branch is there whatever happens."""
    status = COMPLETED if fork.pc is None else PAUSED
    workplace.tasks.note_run(task.id, branch, status, workplace.clock_ms(), progress=progress)
    if fork.pc is None:
        return None
    try:
        queue_run(workplace, queue, workplace.tasks.get(task.id), branch)
    except Busy as busy:
        return busy.message
    return None


def refused_lines(refusal: InputError | PlanRejected) -> list[str]:
    """What the person at the client's terminal is told of a push that was refused."""
    lines = [refusal.message]
    if isinstance(refusal, PlanRejected):
        lines += _findings(refusal.findings)
    if refusal.hint is not None:
        lines.append(refusal.hint)
    return lines


def taken_lines(pushed: Pushed, url: str) -> list[str]:
    """What the person is told of a push that was taken. ``url`` is the task's."""
    at = f"{pushed.fork_point[:12]} of {pushed.revises}"
    steps = f"{pushed.kept} {'step' if pushed.kept == 1 else 'steps'} kept"
    goes_on = (
        f"goes on with step {pushed.next_step}" if pushed.next_step is not None else "nothing is left to do"
    )
    lines = [*_findings(pushed.findings), f"forked at {at}: {steps}, {goes_on}"]
    for call in pushed.beyond[:_MOST_SHOWN]:
        lines.append(f"done behind that already: step {call.seq_no}, {call.tool} ({call.effect})")
    if len(pushed.beyond) > _MOST_SHOWN:
        lines.append(f"and {len(pushed.beyond) - _MOST_SHOWN} more")
    if pushed.trouble is not None:
        lines.append(f"not queued: {pushed.trouble}; resume it later")
    elif pushed.next_step is not None:
        lines.append(f"queued: branch {pushed.branch} of task {pushed.task.id}")
    return [*lines, f"git fetch brings what it does, {url} tells of it"]


def _findings(findings: Iterable[Finding]) -> list[str]:
    shown = [str(finding) for finding in findings]
    return shown[:_MOST_SHOWN] + (
        [f"and {len(shown) - _MOST_SHOWN} more"] if len(shown) > _MOST_SHOWN else []
    )
