"""Where a new plan leaves an old run: the fork point.

The commits of a branch drive two interpreters side by side, that of the plan that ran and that of the new one,
both fed with what was recorded. The fork point is the last commit up to which they did the same: steps of the same
type with the same resolved inputs that set the same variables. ``seq_no`` doesn't count, nor do descriptions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.errors import DamagedHistory
from app.history.canonical import RECORD_DEPTH, canonical
from app.history.commits import TRANSPARENT_KINDS, Commit, subject_line
from app.history.snapshots import SnapshotReader
from app.plan.model import Json, Plan, Reasoning
from app.plan.parse import plan_from_json
from app.vm.effects import CallNeeded, Effect, FanNeeded, JudgementNeeded
from app.vm.interpreter import Interpreter
from app.vm.records import recorded_outcome, same_request
from app.vm.scribe import step_subject
from app.vm.state import State, Transition, visits_of

PLAN_KINDS: Final = frozenset({"plan", "revision", "push"})
"""Kinds of commits that bring a plan."""


@dataclass(frozen=True, slots=True)
class KeptStep:
    """A step that both plans executed: its commit, and where the new plan has it."""

    commit: Commit
    seq_no: int
    visit: int


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """``pc`` and ``visits`` are where the new plan stands there; ``beyond`` are the commits behind, oldest first."""

    commit: Commit
    pc: int | None
    visits: Mapping[int, int]
    kept: Sequence[KeptStep] = ()
    beyond: Sequence[Commit] = field(default=(), repr=False)


def find_fork_point(
    reader: SnapshotReader,
    commits: Sequence[Commit],
    plan: Plan,
    tool_name: Callable[[str], str] = lambda name: name,
) -> ForkPoint:
    """The fork point of ``plan`` on a branch whose ``commits`` are given oldest first.

    ``tool_name`` makes one name of a tool's name and its aliases. The point is never a commit of a transparent kind:
    a step that failed is tried again. Raises ``DamagedHistory`` where there is no plan to fork at.
    """
    finder = _Finder(reader, plan, tool_name)
    fork: ForkPoint | None = None
    for index, commit in enumerate(commits):
        if not finder.take(commit):
            break
        if commit.kind != "goal" and commit.kind not in TRANSPARENT_KINDS:
            fork = ForkPoint(commit, finder.new.pc, finder.new.visits.copy(), (), commits[index + 1 :])
    if fork is None:
        raise DamagedHistory(commits[-1].id if commits else "", "has no plan in its history")
    kept = finder.kept
    return ForkPoint(fork.commit, fork.pc, fork.visits, kept, fork.beyond)


class _Finder:
    """The two interpreters. ``new`` is the state of the new plan's."""

    def __init__(self, reader: SnapshotReader, plan: Plan, tool_name: Callable[[str], str]) -> None:
        self._reader = reader
        self._tool_name = tool_name
        self._new_plan = Interpreter(plan)
        self._old_plan: Interpreter | None = None
        self.new = State(pc=self._new_plan.start)
        self._old = State()
        self.kept: list[KeptStep] = []

    def take(self, commit: Commit) -> bool:
        """Follow one commit. False where the new plan would not have made it."""
        if commit.kind in PLAN_KINDS:
            self._change_plan(commit)
        elif commit.kind == "edit":
            edited = self._reader.record(commit.tree)["variables"]
            self._old.variables.update(edited)
            self.new.variables.update(edited)
        elif commit.kind == "step":
            return self._step(commit)
        return True

    def _change_plan(self, commit: Commit) -> None:
        control = self._reader.control(commit.tree)
        self._old_plan = Interpreter(plan_from_json(self._reader.plan(commit.tree)))
        self._old.pc, self._old.visits = control.get("pc"), visits_of(control)

    def _step(self, commit: Commit) -> bool:
        old, new, old_plan, new_plan = self._old, self.new, self._old_plan, self._new_plan
        if old_plan is None or old.pc is None or new.pc is None:
            return False
        seq_no, visit = new.pc, new.visit(new.pc)
        if not _same_kind_of_step(old_plan, old.pc, new_plan, seq_no):
            return False
        was, is_now = old_plan.begin(old), new_plan.begin(new)
        if not isinstance(was, Transition):
            if isinstance(is_now, Transition) or not self._same_effect(was, is_now):
                return False
            record = self._reader.record(commit.tree)
            if not same_request(was, record):
                return False
            outcome = recorded_outcome(record)
            was, is_now = old_plan.finish(old, was, outcome), new_plan.finish(new, is_now, outcome)
        if not isinstance(is_now, Transition) or not _same_result(was, is_now):
            return False
        if subject_line(step_subject(old.pc, was)) != commit.subject:
            return False  # it ended otherwise when it ran, as with a value that was too large
        old.apply(was, old.pc, in_loop=old.pc in old_plan.loop_steps)
        new.apply(is_now, seq_no, in_loop=seq_no in new_plan.loop_steps)
        self.kept.append(KeptStep(commit, seq_no, visit))
        return True

    def _same_effect(self, old: Effect, new: Effect) -> bool:
        if isinstance(old, CallNeeded) and isinstance(new, CallNeeded):
            return self._same_call(old, new) and same_json(dict(old.inputs), dict(new.inputs))
        if isinstance(old, FanNeeded) and isinstance(new, FanNeeded):
            return (
                self._same_call(old, new)
                and old.count == new.count
                and all(same_json(old.inputs(item), new.inputs(item)) for item in range(old.count))
            )
        if isinstance(old, JudgementNeeded) and isinstance(new, JudgementNeeded):
            return same_json([old.prompt, old.context], [new.prompt, new.context])
        return False

    def _same_call(self, old: CallNeeded | FanNeeded, new: CallNeeded | FanNeeded) -> bool:
        same_tool = self._tool_name(old.tool_name) == self._tool_name(new.tool_name)
        return same_tool and old.outputs == new.outputs


def _same_kind_of_step(old_plan: Interpreter, old: int, new_plan: Interpreter, new: int) -> bool:
    one, other = old_plan.instruction(old).step, new_plan.instruction(new).step
    if one.type != other.type:
        return False
    if isinstance(one.instruction, Reasoning):
        return same_json(dict(one.parameters), dict(other.parameters))
    return True


def _same_result(old: Transition, new: Transition) -> bool:
    """Whether both set the same and failed alike; where they go on is their own."""
    return (
        old.failed == new.failed
        and (old.failure is None) == (new.failure is None)
        and same_json(dict(old.variables), dict(new.variables))
    )


def same_json(one: Json, other: Json) -> bool:
    """Whether they are the same value: ``1``, ``1.0`` and ``true`` are three."""
    if one is other:
        return True
    # Equality first: it is quick, and only what passes it can have the same text.
    return bool(one == other) and canonical(one, RECORD_DEPTH) == canonical(other, RECORD_DEPTH)
