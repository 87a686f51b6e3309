"""Tasks: submit, find, list, delete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from app.crash_points import reached
from app.db.base import TaskRow
from app.errors import InputError, NotFound, PlanRejected, StorageError
from app.history.base import Store, StoreFactory
from app.history.canonical import canonical
from app.history.codec import Snapshot
from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.plan.check import check_text
from app.plan.findings import Finding
from app.plan.model import Plan
from app.services.leases import standing
from app.services.workplace import Workplace
from app.vm.scribe import Scribe
from app.vm.state import STATUSES
from app.vm.usage import NO_USAGE

MAIN: Final = "main"
MAX_GOAL_CHARS: Final = 100_000


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a task is made from. ``plan`` is the text of a plan document; ``None``: a model is to write it.

    ``revise``: a model may revise the plan where a step fails. One that a model wrote, it always may.
    """

    goal: str
    plan: str | bytes | None = None
    namespace: str | None = None
    response_format: Mapping[str, Any] | None = None
    history: str | None = None
    max_steps: int | None = None
    revise: bool = False


def check_plan_text(
    workplace: Workplace, text: str | bytes, namespace: str | None
) -> tuple[Plan | None, list[Finding]]:
    """The plan, where it can be read, and the checker's findings. Raises ``NotFound`` for the namespace."""
    return check_text(text, workplace.catalog(namespace))


@dataclass(frozen=True, slots=True)
class PreparedTask:
    """A task that could be made: its row, the content of ``goal.json``, its plan where one was given."""

    row: TaskRow
    goal: Mapping[str, Any]
    plan: Plan | None


def submit_task(
    workplace: Workplace, new: NewTask, on_warning: Callable[[Finding], None] | None = None
) -> TaskRow:
    """Check the plan, then record goal and plan as the first two commits of a new task.

    ``on_warning`` is told what the checker found that is no error. Raises ``InputError``, ``NotFound``
    (namespace) or ``PlanRejected``; nothing is kept then.
    """
    prepared = prepare_task(workplace, new, on_warning)
    keep_task(workplace, prepared)
    return prepared.row


def prepare_task(
    workplace: Workplace, new: NewTask, on_warning: Callable[[Finding], None] | None = None
) -> PreparedTask:
    """Check all of it, and keep nothing yet. Raises as :func:`submit_task`."""
    workplace.actor.require("operator")
    new = replace(new, namespace=seen_namespace(workplace, new.namespace))
    goal = _goal_document(workplace, new)
    plan = None if new.plan is None else _checked_plan(workplace, new.plan, new.namespace, on_warning)
    if plan is None:
        workplace.catalog(new.namespace)  # a namespace that doesn't exist is refused before anything is made
    created_ms = workplace.clock_ms()
    row = TaskRow(
        id=workplace.new_task_id(),
        goal=new.goal,
        namespace=new.namespace,
        status="queued",
        store=new.history or workplace.default_store,
        current_branch=MAIN,
        created_ms=created_ms,
        updated_ms=created_ms,
        planned_steps=None if plan is None else len(plan.steps),
        worked_ms=0,
        usage="{}",
    )
    return PreparedTask(row, goal, plan)


def keep_task(workplace: Workplace, prepared: PreparedTask, also: Callable[[], None] = lambda: None) -> None:
    """Make the task, and what ``also`` writes of it: all of that or nothing."""
    row = prepared.row
    factory = workplace.stores[row.store]

    def keep(in_doubt: bool) -> None:
        if in_doubt and workplace.tasks.has(row.id):
            return
        if factory.is_in_database:
            _begin_history(workplace, factory, prepared)
        workplace.tasks.create(row)
        also()

    try:
        if not factory.is_in_database:
            _begin_history(workplace, factory, prepared)
        workplace.transactions.together(keep)
    except BaseException:
        if not factory.is_in_database:
            # What went wrong is to be told. Where even this fails, what is left is a history without a task, or a
            # whole task: nobody knows whether its row came to be.
            with suppress(StorageError):
                workplace.tasks.delete(row.id)
                factory.delete(row.id)
        raise
    reached("task.created")


def _begin_history(workplace: Workplace, factory: StoreFactory, prepared: PreparedTask) -> None:
    row = prepared.row
    store = factory.create(row.id)
    try:
        _first_commits(workplace, store, row.id, dict(prepared.goal), prepared.plan, row.created_ms)
        reached("task.stored")
    finally:
        store.close()


def _checked_plan(
    workplace: Workplace,
    text: str | bytes,
    namespace: str | None,
    on_warning: Callable[[Finding], None] | None,
) -> Plan:
    plan, findings = check_plan_text(workplace, text, namespace)
    if plan is None or any(finding.severity == "error" for finding in findings):
        raise PlanRejected(findings)
    if on_warning is not None:
        for finding in findings:
            on_warning(finding)
    return plan


def _goal_document(workplace: Workplace, new: NewTask) -> dict[str, Any]:
    """The content of ``goal.json``."""
    check_goal(new.goal)
    limits = dict(workplace.limits)
    if new.max_steps is not None:
        limits["steps"] = positive_steps(new.max_steps)
    if new.plan is not None and not new.revise:
        del limits["revisions"]
    goal: dict[str, Any] = {"goal": new.goal, "limits": limits}
    if new.namespace is not None:
        goal["namespace"] = new.namespace
    if new.response_format is not None:
        goal["response_format"] = dict(new.response_format)
    canonical(goal)  # what the history can't hold is refused before anything is made
    return goal


def check_goal(goal: str) -> None:
    """Refuse a goal that says nothing, or too much."""
    if not goal.strip():
        raise InputError("the goal is empty", hint="say in your own words what should be done")
    if len(goal) > MAX_GOAL_CHARS:
        raise InputError(f"the goal has {len(goal):,} characters", hint=f"at most {MAX_GOAL_CHARS:,}")


def positive_steps(max_steps: int) -> int:
    """Refuse a limit of steps that allows none."""
    if max_steps < 1:
        raise InputError(f"max steps must be at least 1, not {max_steps}")
    return max_steps


def _first_commits(
    workplace: Workplace, store: Store, task_id: str, goal: dict[str, Any], plan: Plan | None, created_ms: int
) -> None:
    journal = Journal(store, HEADS + MAIN, None)
    scribe = Scribe(journal, Snapshot(goal=goal, record={}, control={}), task_id)
    author = workplace.person
    scribe.begin_task({"who": author}, created_ms // 1000, author=author)
    if plan is not None:
        scribe.adopt_plan(plan, {"who": author}, author=author)
    journal.flush()


def seen_namespace(workplace: Workplace, namespace: str | None) -> str | None:
    """The namespace of what the actor makes: an actor of one has no other. Raises ``NotFound``."""
    chosen = namespace if namespace is not None else workplace.actor.namespace
    if not workplace.actor.sees(chosen):
        raise NotFound("namespace", str(chosen))
    return chosen


def find_task(workplace: Workplace, prefix: str) -> TaskRow:
    """The task with that id, or the only one whose id begins so. Raises ``NotFound``, ``Ambiguous``.

    One of a namespace that the actor may not see is not there.
    """
    task = workplace.tasks.find(prefix)
    if not workplace.actor.sees(task.namespace):
        raise NotFound("task", prefix)
    return _as_it_stands(workplace, task)


def list_tasks(workplace: Workplace, status: str | None, limit: int) -> Sequence[TaskRow]:
    """The newest tasks first. Raises ``InputError`` for a status that does not exist."""
    if status is not None and status not in STATUSES:
        raise InputError(f"there is no status {status!r}", hint="one of " + ", ".join(STATUSES))
    rows = [_as_it_stands(workplace, row) for row in workplace.tasks.list(status=status, limit=limit)]
    return rows if status is None else [row for row in rows if row.status == status]


def _as_it_stands(workplace: Workplace, row: TaskRow) -> TaskRow:
    status = standing(workplace, row.id, row.current_branch, row.status)
    return row if status == row.status else replace(row, status=status)


def task_document(row: TaskRow) -> dict[str, Any]:
    """A task of a list as JSON; ``branch`` to ``error`` are those of its latest run.

    ``steps`` were executed, of the ``planned_steps`` of its plan, of which a loop executes some more than once.
    ``worked_ms`` is what the calls took together. ``None`` is unknown.
    """
    return {
        "task_id": row.id,
        "goal": row.goal,
        "namespace": row.namespace,
        "status": row.status,
        "branch": row.current_branch,
        "steps": row.steps,
        "planned_steps": row.planned_steps,
        "worked_ms": row.worked_ms,
        "cost": _cost(row),
        "error": row.error,
        "branches": row.branches,
        "history": row.store,
        "created_ms": row.created_ms,
        "updated_ms": row.updated_ms,
    }


def _cost(row: TaskRow) -> float | None:
    """In US dollars."""
    if row.usage is None:
        return None
    cost: float | None = {**NO_USAGE, **json.loads(row.usage)}["cost"]
    return cost


@contextmanager
def open_repository(workplace: Workplace, task: TaskRow) -> Iterator[Repository]:
    """The task's repository, closed at the end of the block."""
    store = histories_of(workplace, task).open(task.id)
    try:
        yield Repository(store)
    finally:
        store.close()


def histories_of(workplace: Workplace, task: TaskRow) -> StoreFactory:
    """Where the task's history is. Raises ``StorageError`` for a store that this version doesn't know."""
    factory = workplace.stores.get(task.store)
    if factory is None:
        raise StorageError(
            f"the history of task {task.id} is in {task.store!r}, which this version doesn't know",
            hint="one of " + ", ".join(workplace.stores),
        )
    return factory
