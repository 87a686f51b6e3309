"""Runs that wait for a person: what they wait for, and recording what the person decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.crash_points import reached
from app.db.base import TaskRow
from app.errors import Conflict, InputError
from app.history.canonical import canonical
from app.history.commits import ENGINE
from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.plan.model import Json
from app.plan.parse import plan_from_json
from app.services.choices import find_earlier, with_choices
from app.services.leases import find_holder, hold_lease
from app.services.runs import RunOptions, make_caller
from app.services.scribes import open_held, open_scribe
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.decisions import CHOICES, Waiting
from app.vm.doubts import find_doubts
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.performer import Performer
from app.vm.scribe import Scribe, decision_text
from app.vm.state import PAUSED


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says about a call in doubt. ``value`` is for ``skip``.

    ``items``: which items of a ``for_each`` it is about; ``None``: the one that waits, empty: all that would wait.
    ``key``: the idempotency key of the call that the person has seen waiting, where that matters.
    """

    choice: str
    value: Json = None
    items: tuple[int, ...] | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was recorded, as commit ``commit`` of ``branch``; one about several ``items`` as a commit each,
    up to that one. ``waiting`` is the first call."""

    task_id: str
    branch: str
    commit: str
    choice: str
    waiting: Waiting
    items: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        place = self.waiting.place
        return {
            "task_id": self.task_id,
            "branch": self.branch,
            "commit": self.commit,
            "choice": self.choice,
            "step": place.seq_no,
            "visit": place.visit,
            "item": place.item,
            "items": list(self.items),
            "tool": self.waiting.tool,
        }


def find_waiting(workplace: Workplace, task: TaskRow, repository: Repository, branch: str) -> Waiting | None:
    """What the branch waits for, or ``None``; also ``None`` while a worker runs it. Calls no tool."""
    doubts = find_all_waiting(workplace, task, repository, branch)
    return doubts[0] if doubts else None


def find_all_waiting(
    workplace: Workplace, task: TaskRow, repository: Repository, branch: str
) -> list[Waiting]:
    """As :func:`find_waiting`, and behind it the other items of the ``for_each`` that would wait after it, whose
    choices are not looked up."""
    if find_holder(workplace, task.id, branch) is not None:
        return []
    journal = Journal(repository.store, HEADS + branch, repository.head(branch))
    journal.never_flush()
    scribe = open_scribe(repository, task.id, journal)
    doubts = _find_doubts(workplace, task, repository, branch, scribe)
    return [with_choices(repository, doubts[0]), *doubts[1:]] if doubts else []


def _find_doubts(
    workplace: Workplace, task: TaskRow, repository: Repository, branch: str, scribe: Scribe
) -> list[Waiting]:
    if scribe.state.pc is None:
        return []
    with Performer() as performer:
        caller = make_caller(workplace, task, branch, repository, scribe, performer, RunOptions(Interrupts()))
        tools = workplace.catalog(scribe.goal.get("namespace"))
        return find_doubts(scribe.state, Interpreter(plan_from_json(scribe.plan)), tools, caller)


def decide(workplace: Workplace, task: TaskRow, branch: str, decision: Decision) -> Decided:
    """Commit a decision about the call that the branch waits for, or about some of its items; a later run obeys it.

    Raises ``Conflict`` where it waits for nothing (any more), for another call than the person has seen, or has no
    earlier result to reuse, ``LeaseHeld`` while a worker runs it, ``InvalidValue`` for a value that the history
    can't hold.
    """
    workplace.actor.require("operator")
    if decision.choice not in CHOICES:
        raise InputError(f"there is no choice {decision.choice!r}", hint="one of " + ", ".join(CHOICES))
    canonical(decision.value)
    with (
        open_repository(workplace, task) as repository,
        hold_lease(workplace, task, branch, Interrupts()) as heartbeat,
    ):
        scribe = open_held(repository, task.id, branch, heartbeat.fence)
        doubts = _find_doubts(workplace, task, repository, branch, scribe)
        if not doubts:
            raise _nothing_to_decide(repository, branch)
        chosen = _chosen(doubts, decision)
        records = [_record(workplace, repository, waiting, decision) for waiting in chosen]
        for record in records:
            commit = scribe.decide(record, author=workplace.person)
        scribe.journal.flush()
        reached("decision.committed")
        workplace.tasks.note_run(task.id, branch, PAUSED, workplace.clock_ms())
    items = tuple(waiting.place.item for waiting in chosen if waiting.place.item is not None)
    return Decided(task.id, branch, commit.hex(), decision.choice, chosen[0], items)


def _nothing_to_decide(repository: Repository, branch: str) -> Conflict:
    head = repository.commit(repository.head(branch))
    if head.kind != "decision" or head.author == ENGINE:
        return Conflict(f"branch {branch!r} waits for no decision")
    record = repository.reader.record(head.tree)
    said = f"{head.author} has decided: {decision_text(record)}"
    return Conflict(f"branch {branch!r} waits for no decision any more: {said}", hint="`resume` goes on")


def _chosen(doubts: list[Waiting], decision: Decision) -> list[Waiting]:
    """What the decision is about."""
    first = doubts[0]
    if decision.key is not None and decision.key != first.idempotency_key:
        raise Conflict(
            f"another call waits by now: {first.tool} in step {first.place.seq_no}, key {first.idempotency_key}",
            hint="look at it with `show`, and decide again",
        )
    if decision.items is None:
        return [first]
    by_item = {waiting.place.item: waiting for waiting in doubts if waiting.place.item is not None}
    if not by_item:
        raise Conflict(f"step {first.place.seq_no} has no items", hint="decide without naming any")
    missing = [item for item in decision.items if item not in by_item]
    if missing:
        known = ", ".join(str(item) for item in by_item)
        raise Conflict(f"item {missing[0]} waits for no decision", hint=f"these do: {known}")
    return [by_item[item] for item in dict.fromkeys(decision.items or by_item)]


def _record(
    workplace: Workplace, repository: Repository, waiting: Waiting, decision: Decision
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "choice": decision.choice,
        "seq_no": waiting.place.seq_no,
        "visit": waiting.place.visit,
        "item": waiting.place.item,
        "tool": waiting.tool,
        "key": waiting.idempotency_key,
        "attempt": waiting.attempt,
        "who": workplace.person,
        "decided_ms": workplace.clock_ms(),
    }
    if decision.choice == "skip":
        record["value"] = decision.value
    elif decision.choice == "reuse":
        earlier = find_earlier(repository, waiting)
        if earlier is None:
            raise Conflict(
                f"there is no earlier result of {waiting.tool} with these inputs",
                hint="choose run, skip or fail",
            )
        record["from_commit"], record["value"] = earlier
    return record
