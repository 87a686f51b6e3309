"""Replay: walk a branch, feed what was recorded to the interpreter, compare every commit id. Calls nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.errors import DamagedHistory, StackVMError
from app.history.codec import Snapshot
from app.history.commits import ENGINE, Commit
from app.history.journal import Journal
from app.history.pushed import verify_pushed
from app.history.repository import Repository
from app.plan.model import Plan
from app.plan.parse import parse_plan, plan_from_json
from app.vm.forks import PLAN_KINDS
from app.vm.interpreter import Interpreter
from app.vm.records import plain_record, recorded_outcome, same_request
from app.vm.scribe import Scribe
from app.vm.state import FAILED, RUNNING, Transition


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first commit that replay does not reach. ``differences``: what differs → (stored, replayed)."""

    commit: str
    subject: str
    reason: str
    differences: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """``head`` was reached with identical ids after ``commits`` commits, or ``divergence`` says where not."""

    head: str
    commits: int
    objects: int
    divergence: Divergence | None = None


class _Diverged(Exception):
    pass


class Replay:
    """Replays one line of history from its first commit."""

    def __init__(
        self, repository: Repository, task_id: str, on_commit: Callable[[int], None] | None = None
    ) -> None:
        self._repository = repository
        self._task_id = task_id
        self._on_commit = on_commit
        self._interpreter: Interpreter | None = None
        self._verified = 0

    def run(self, head: bytes) -> ReplayResult:
        """Replay up to ``head``. Raises ``DamagedHistory`` where an object is missing or wrong."""
        commits = list(self._repository.log(head))[::-1]
        scribe: Scribe | None = None
        for number, commit in enumerate(commits, 1):
            try:
                record = self._repository.reader.record(commit.tree)
                scribe = self._replay_commit(scribe, commit, record)
                if scribe.journal.head != commit.oid:
                    raise _Diverged("the commit id differs")
                self._verify(scribe)
            except DamagedHistory:
                raise
            except (_Diverged, StackVMError, KeyError) as error:
                divergence = self._describe(commit, scribe, str(error))
                return ReplayResult(head.hex(), number - 1, self._verified, divergence)
            if self._on_commit is not None:
                self._on_commit(number)
        return ReplayResult(head.hex(), len(commits), self._verified)

    def _replay_commit(self, scribe: Scribe | None, commit: Commit, record: dict[str, Any]) -> Scribe:
        kind = record.pop("kind", "")
        author = None if commit.author == ENGINE else commit.author
        if scribe is None:
            return self._first(commit, kind, record, author)
        if kind in PLAN_KINDS:
            plan = plan_from_json(self._repository.reader.plan(commit.tree))
            self._interpreter = Interpreter(plan)
            if kind == "push":
                self._check_pushed(commit, plan)
            scribe.bring_plan(kind, plan, record, author=author)
        elif kind == "decision":
            scribe.decide(record, author=author)
        elif kind == "edit":
            scribe.edit(record.pop("variables"), record, author=author)
        elif kind == "stop":
            scribe.stop(record, author=author)
        elif kind in ("step", "failure"):
            self._step(scribe, record)
        else:
            raise _Diverged(f"a commit of kind {kind!r} can't be replayed by this version")
        return scribe

    def _check_pushed(self, commit: Commit, plan: Plan) -> None:
        """The client's commits are no part of the line; what was run has to be what they hold."""
        if parse_plan(verify_pushed(self._repository, commit)).to_json() != plan.to_json():
            raise _Diverged("the plan is not the one that was pushed")

    def _first(self, commit: Commit, kind: str, record: dict[str, Any], author: str | None) -> Scribe:
        if kind != "goal":
            raise _Diverged("the first commit is not the goal")
        goal = self._repository.reader.goal(commit.tree)
        journal = Journal(self._repository.store, "", None)
        journal.never_flush()
        scribe = Scribe(journal, Snapshot(goal=goal, record={}, control={}), self._task_id)
        scribe.begin_task(record, commit.time, author=author)
        return scribe

    def _step(self, scribe: Scribe, record: dict[str, Any]) -> None:
        state = scribe.state
        if self._interpreter is None or state.pc is None:
            raise _Diverged("a step after the run had ended, or before there was a plan")
        if state.status == FAILED:
            state.status = RUNNING
        if record.get("seq_no") != state.pc:
            raise _Diverged(f"step {record.get('seq_no')} was recorded where step {state.pc} follows")
        request = scribe.begin(self._interpreter)
        if isinstance(request, Transition):
            record, transition = plain_record(self._interpreter.instruction(state.pc).step), request
        else:
            if not same_request(request, record):
                raise _Diverged(f"step {state.pc} asks for something else than was recorded")
            transition = self._interpreter.finish(state, request, recorded_outcome(record))
        scribe.step(self._interpreter, transition, record)

    def _verify(self, scribe: Scribe) -> None:
        """Everything this commit brought is in the store, and is what its id says."""
        for raw in scribe.journal.sink.drain():
            if self._repository.store.read(raw.oid).data != raw.data:
                raise DamagedHistory(raw.oid.hex(), "is not what its id says")
            self._verified += 1

    def _describe(self, commit: Commit, scribe: Scribe | None, reason: str) -> Divergence:
        differences: dict[str, tuple[Any, Any]] = {}
        if scribe is not None:
            stored = self._repository.reader.snapshot(commit.tree)
            replayed = scribe.state
            if stored.control != replayed.control():
                differences["state"] = (stored.control, replayed.control())
            for name in sorted(stored.variables.keys() | replayed.variables.keys()):
                before, after = stored.variables.get(name), replayed.variables.get(name)
                if before != after:
                    differences[f"vars.{name}"] = (before, after)
        return Divergence(commit.id, commit.subject, reason, differences)
