"""Runs that wait for a person: what they wait for, and recording what the person decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.crash_points import reached
from app.db.base import TaskRow
from app.errors import Conflict, InputError
from app.history.canonical import RECORD_DEPTH, canonical
from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.plan.model import Json
from app.plan.parse import plan_from_json
from app.services.leases import hold_lease
from app.services.runs import RunOptions, make_caller
from app.services.scribes import open_scribe
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.decisions import CHOICES, Waiting
from app.vm.doubts import find_doubt
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.performer import Performer
from app.vm.records import recorded_answers
from app.vm.scribe import Scribe
from app.vm.state import PAUSED


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says about a call in doubt. ``value`` is for ``skip``."""

    choice: str
    value: Json = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was recorded, as commit ``commit`` of ``branch``."""

    task_id: str
    branch: str
    commit: str
    choice: str
    waiting: Waiting

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
            "tool": self.waiting.tool,
        }


def find_waiting(workplace: Workplace, task: TaskRow, repository: Repository, branch: str) -> Waiting | None:
    """What the branch waits for, or ``None``; also ``None`` while a worker runs it. Calls no tool."""
    if workplace.leases.holder(task.id, branch) is not None:
        return None
    journal = Journal(repository.store, HEADS + branch, repository.head(branch))
    journal.never_flush()
    return _waiting_at(workplace, task, repository, branch, open_scribe(repository, task.id, journal))


def _waiting_at(
    workplace: Workplace, task: TaskRow, repository: Repository, branch: str, scribe: Scribe
) -> Waiting | None:
    if scribe.state.pc is None:
        return None
    with Performer() as performer:
        caller = make_caller(workplace, task, branch, repository, scribe, performer, RunOptions(Interrupts()))
        tools = workplace.catalog(scribe.goal.get("namespace"))
        return find_doubt(scribe.state, Interpreter(plan_from_json(scribe.plan)), tools, caller)


def decide(workplace: Workplace, task: TaskRow, branch: str, decision: Decision) -> Decided:
    """Commit a decision about the call that the branch waits for; a later run obeys it.

    Raises ``Conflict`` where it waits for nothing or has no earlier result to reuse, ``LeaseHeld`` while a worker
    runs it, ``InvalidValue`` for a value that the history can't hold.
    """
    if decision.choice not in CHOICES:
        raise InputError(f"there is no choice {decision.choice!r}", hint="one of " + ", ".join(CHOICES))
    canonical(decision.value)
    with (
        open_repository(workplace, task) as repository,
        hold_lease(workplace, task, branch, Interrupts()) as heartbeat,
    ):
        ref = HEADS + branch
        repository.store.raise_fence(ref, heartbeat.fence)
        journal = Journal(repository.store, ref, repository.head(branch), fence=heartbeat.fence)
        scribe = open_scribe(repository, task.id, journal)
        waiting = _waiting_at(workplace, task, repository, branch, scribe)
        if waiting is None:
            raise Conflict(f"branch {branch!r} waits for no decision")
        record = _record(workplace, repository, waiting, decision)
        commit = scribe.decide(record, author=workplace.person)
        journal.flush()
    reached("decision.committed")
    workplace.tasks.note_run(task.id, branch, PAUSED, workplace.clock_ms())
    return Decided(task.id, branch, commit.hex(), decision.choice, waiting)


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
        record["from_commit"], record["value"] = _earlier_result(repository, waiting)
    return record


def _earlier_result(repository: Repository, waiting: Waiting) -> tuple[str, Json]:
    """The newest result of the same tool with the same inputs, on any branch of the task."""
    asked = canonical(dict(waiting.inputs), RECORD_DEPTH)
    seen: set[bytes] = set()
    found: list[tuple[int, str, Json]] = []
    for head in repository.branches().values():
        for commit in repository.log(head):
            if commit.oid in seen:
                break
            seen.add(commit.oid)
            if commit.trailers.get("Tool") != waiting.tool or commit.kind != "step":
                continue
            record = repository.reader.record(commit.tree)
            for inputs, value in recorded_answers(record):
                if canonical(inputs, RECORD_DEPTH) == asked:
                    found.append((commit.time, commit.id, value))
    if not found:
        raise Conflict(
            f"there is no earlier result of {waiting.tool} with these inputs", hint="choose run, skip or fail"
        )
    _, commit_id, value = max(found, key=lambda entry: entry[0])
    return commit_id, value
