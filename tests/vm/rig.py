"""A machine on a memory store with a clock that the test sets: runs plans, restarts, replays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from plans import assign, call, jump

from app.db.base import Ledger
from app.db.memory import MemoryLedger
from app.history.base import Store
from app.history.codec import Snapshot
from app.history.journal import Journal
from app.history.memory_store import MemoryStoreFactory
from app.history.repository import HEADS, Repository
from app.plan.parse import plan_from_json
from app.services.reports import Revised
from app.services.revising import Past, commit_revision
from app.services.scribes import open_scribe
from app.tools.base import Tool
from app.tools.registry import Catalog, Registry
from app.vm.answers import CallReader
from app.vm.caller import Caller
from app.vm.decisions import Decisions
from app.vm.events import Listener
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.machine import Machine, RunResult
from app.vm.performer import Performer
from app.vm.replay import Replay, ReplayResult
from app.vm.reuse import Earlier, Reuse, Source
from app.vm.scheduler import WIDTH
from app.vm.scribe import Scribe
from app.vm.state import State
from app.vm.thinking import Thinker

__all__ = ["LIMITS", "START_MS", "TASK", "Clock", "Rig", "assign", "call", "catalog", "jump"]

TASK = "00000000-0000-4000-8000-000000000001"
START_MS = 1_700_000_000_000
LIMITS = {"steps": 1_000, "seconds": 3_600, "value_bytes": 1_000_000}


class Clock:
    """Advances by ``tick_ms`` at every look."""

    def __init__(self, tick_ms: int = 400) -> None:
        self._looks = count()
        self._tick_ms = tick_ms

    def __call__(self) -> int:
        return START_MS + next(self._looks) * self._tick_ms


def catalog(tools: Sequence[Tool]) -> Catalog:
    """The tools of a test, all of them allowed."""
    registry = Registry()
    for tool in tools:
        registry.add(tool)
    return registry.catalog()


class Rig:
    """One task. Each ``run`` is a new process as far as the machine can tell.

    ``caller_type`` makes the calls: a :class:`Caller`, or what a test puts in its place.
    """

    def __init__(
        self,
        steps: Sequence[Mapping[str, Any]],
        tools: Sequence[Tool] = (),
        *,
        store: Store | None = None,
        ledger: Ledger | None = None,
        limits: Mapping[str, int] = LIMITS,
        clock: Callable[[], int] | None = None,
        every_commit: bool = False,
        caller_type: Callable[..., Caller] = Caller,
    ) -> None:
        self.caller_type = caller_type
        self.store = store or MemoryStoreFactory().create(TASK)
        self.repository = Repository(self.store)
        self.ledger: Ledger = ledger or MemoryLedger()
        self.tools = catalog(tools)
        self.clock = clock or Clock()
        self.every_commit = every_commit
        goal = {"goal": "test", "limits": dict(limits)}
        journal = Journal(self.store, HEADS + "main", None)
        scribe = Scribe(journal, Snapshot(goal=goal, record={}, control={}), TASK)
        scribe.begin_task({"who": "tester"}, START_MS // 1000, author="tester")
        scribe.adopt_plan(plan_from_json(list(steps)), {"who": "tester"}, author="tester")
        journal.flush()

    def use(self, tools: Sequence[Tool]) -> None:
        """From now on these are the tools."""
        self.tools = catalog(tools)

    def head(self, branch: str = "main") -> bytes:
        return self.repository.head(branch)

    def open_scribe(self, branch: str = "main") -> Scribe:
        journal = Journal(self.store, HEADS + branch, self.head(branch), every_commit=self.every_commit)
        return open_scribe(self.repository, TASK, journal)

    def run(
        self,
        branch: str = "main",
        *,
        listener: Listener | None = None,
        interrupts: Interrupts | None = None,
        forked_from: str | None = None,
        width: int = WIDTH,
        thinker: Thinker | None = None,
    ) -> RunResult:
        """Run a branch; ``forked_from`` names the run whose answers it takes first, then come the others'."""
        scribe = self.open_scribe(branch)
        commit = self.repository.commit(self.head(branch))
        with Performer(clock=self.clock, jitter=lambda: 0.0) as performer:
            caller = self.caller_type(
                task_id=TASK,
                branch=branch,
                performer=performer,
                ledger=self.ledger,
                decisions=Decisions.since_last_step(self.repository, self.head(branch)),
                anchor=lambda: scribe.anchor,
                clock_ms=self.clock,
                max_result_bytes=LIMITS["value_bytes"],
                reuse=self._reuse(branch, forked_from) if forked_from is not None else None,
                thinker=thinker,
            )
            machine = Machine(
                scribe=scribe,
                interpreter=Interpreter(plan_from_json(self.repository.reader.plan(commit.tree))),
                tools=self.tools,
                caller=caller,
                interrupts=interrupts or Interrupts(),
                listener=listener,
                thinker=thinker,
                width=width,
            )
            return machine.run()

    def _reuse(self, branch: str, source: str) -> Reuse:
        reader, head = CallReader(self.repository), self.head(branch)
        others = sorted(set(self.repository.branches()) - {branch, source})
        sources = [Source(name, self.head(name)) for name in (source, *others)]
        return Reuse(lambda: Earlier(reader, reader.line(head), sources), self.ledger, lambda mind: True)

    def decide(self, result: RunResult, choice: str, value: Any = None, branch: str = "main") -> None:
        """Record a decision about what ``result`` waits for."""
        assert result.waiting is not None
        scribe = self.open_scribe(branch)
        place = result.waiting.place
        record = {
            "choice": choice,
            "value": value,
            "seq_no": place.seq_no,
            "visit": place.visit,
            "item": place.item,
            "tool": result.waiting.tool,
            "key": result.waiting.idempotency_key,
            "attempt": result.waiting.attempt,
            "who": "tester",
            "decided_ms": self.clock(),
        }
        scribe.decide(record, author="tester")
        scribe.journal.flush()

    def revise(self, name: str, steps: Sequence[Mapping[str, Any]], branch: str = "main") -> Revised:
        """A person's new plan for ``branch``, as the new branch ``name``."""
        commits = list(self.repository.log(self.head(branch)))[::-1]
        past = Past(self.repository, self.ledger, branch, commits, lambda tool: tool)
        plan = plan_from_json(list(steps))
        return commit_revision(
            TASK, past, past.fork_point(plan), plan, name, {"who": "tester"}, author="tester"
        )

    def state(self, branch: str = "main") -> State:
        commit = self.repository.commit(self.head(branch))
        return State.of(self.repository.reader.snapshot(commit.tree))

    def variables(self, branch: str = "main") -> dict[str, Any]:
        return self.state(branch).variables

    def kinds(self, branch: str = "main") -> list[str]:
        """The kinds of all commits, oldest first."""
        return [commit.kind for commit in self.repository.log(self.head(branch))][::-1]

    def records(self, branch: str = "main") -> list[dict[str, Any]]:
        """The records of all commits, oldest first."""
        log = list(self.repository.log(self.head(branch)))[::-1]
        return [self.repository.reader.record(commit.tree) for commit in log]

    def replay(self, branch: str = "main") -> ReplayResult:
        return Replay(self.repository, TASK).run(self.head(branch))
