"""The scribe: state, trees and journal in step. Everything that changes a branch is written here.

The machine and replay share it, so that a commit follows from its parent, its plan and its record alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.errors import InvalidValue
from app.history.canonical import MAX_DEPTH
from app.history.codec import Snapshot, SnapshotWriter
from app.history.commits import TRANSPARENT_KINDS, format_message, one_line
from app.history.journal import Journal
from app.history.measure import trouble_with
from app.plan.model import Json, Plan
from app.vm.effects import CallNeeded, Effect, FanNeeded
from app.vm.interpreter import Interpreter
from app.vm.records import Record
from app.vm.state import (
    CANCELLED,
    COMPLETED,
    FAILED,
    RUNNING,
    State,
    StepFailure,
    Transition,
    visits_of,
)
from app.vm.usage import add_usage

_COLUMN_FACTOR: Final = 4
"""How many times the limit of a value the arguments of all items of a ``for_each`` may have together."""


class Scribe:
    """``state`` is that of the newest commit, ``time`` its time, ``anchor`` its newest ancestor or itself that
    is not of a transparent kind."""

    def __init__(self, journal: Journal, snapshot: Snapshot, task_id: str, *, time: int = 0) -> None:
        self.journal = journal
        self.task_id = task_id
        self.goal = snapshot.goal
        self.plan = snapshot.plan
        self.state = State.of(snapshot)
        self.time = time
        self.anchor = journal.head
        self._writer = SnapshotWriter.of(
            snapshot, journal.sink, max_value_bytes=self.limits.get("value_bytes")
        )

    @property
    def limits(self) -> dict[str, int]:
        """The task's limits: ``steps``, ``seconds``, ``value_bytes``, ``revisions``."""
        limits: dict[str, int] = self.goal.get("limits", {})
        return limits

    def tree_at(self, snapshot: Snapshot) -> bytes:
        """The tree as we would write it for the commit that ``snapshot`` was read from."""
        self._writer.set_record(snapshot.record)
        return self._writer.tree(snapshot.control)

    def begin_task(self, record: Record, time: int, *, author: str | None) -> bytes:
        """The first commit: the goal."""
        self.time = time
        self._writer.set_goal(self.goal)
        return self._commit("goal", f"goal: {self.goal.get('goal', '')}", record, author=author)

    def adopt_plan(self, plan: Plan, record: Record, *, author: str | None) -> bytes:
        """The plan that will run."""
        self.plan = plan.to_json()
        self._writer.set_plan(self.plan)
        self.state.pc = plan.steps[0].seq_no if plan.steps else None
        self.state.status, self.state.error = RUNNING, None
        return self._commit("plan", f"plan: {_count_steps(plan)}", record, author=author)

    def revise(self, plan: Plan, record: Record, *, author: str | None) -> bytes:
        """A new plan that goes on from here. ``record`` says where it stands: ``pc``, ``visits``.

        What the branch revised from has used beyond this point stays used, where ``record`` says so
        (``usage``, ``worked_ms``).
        """
        return self._go_on("revision", plan, record, author)

    def push(self, plan: Plan, record: Record, *, author: str | None) -> bytes:
        """As :meth:`revise`, of a plan that a client of git committed: ``record`` names its commit (``pushed``)."""
        return self._go_on("push", plan, record, author)

    def _go_on(self, kind: str, plan: Plan, record: Record, author: str | None) -> bytes:
        state = self.state
        self.plan = plan.to_json()
        self._writer.set_plan(self.plan)
        state.pc, state.visits = record["pc"], visits_of(record)
        state.status, state.error = COMPLETED if state.pc is None else RUNNING, None
        state.usage = record.get("usage", state.usage)
        state.worked_ms = record.get("worked_ms", state.worked_ms)
        return self._commit(kind, f"{kind}: {_count_steps(plan)}", record, author=author)

    def bring_plan(self, kind: str, plan: Plan, record: Record, *, author: str | None) -> bytes:
        """The commit of a kind that brings a plan, as it was recorded."""
        if kind == "plan":
            return self.adopt_plan(plan, record, author=author)
        return self._go_on(kind, plan, record, author)

    def edit(self, variables: Mapping[str, Json], record: Record, *, author: str | None) -> bytes:
        """A person sets variables; the run goes on from here. Raises ``InvalidValue``; nothing is changed then."""
        state = self.state
        self._writer.set_variables(variables)
        state.variables.update(variables)
        if state.pc is not None:
            state.status, state.error = RUNNING, None
        subject = f"edit: {', '.join(sorted(variables))}"
        return self._commit("edit", subject, {**record, "variables": dict(variables)}, author=author)

    def begin(self, interpreter: Interpreter, state: State | None = None) -> Transition | Effect:
        """Start the next step, or that of a ``state`` to come. Inputs that no record could hold are its error."""
        state = state or self.state
        request = interpreter.begin(state)
        if isinstance(request, CallNeeded | FanNeeded):
            trouble = self._trouble_with_inputs(request)
            if trouble is not None:
                return interpreter.fail(state, trouble)
        return request

    def _trouble_with_inputs(self, effect: CallNeeded | FanNeeded) -> str | None:
        limit = self.limits.get("value_bytes")
        if limit is None:
            return None
        shared = effect.inputs if isinstance(effect, CallNeeded) else effect.shared
        columns = effect.columns if isinstance(effect, FanNeeded) else {}
        for name, value in shared.items():
            if trouble := trouble_with(value, limit):
                return f"argument {name!r}: {trouble}"
        for name, column in columns.items():
            if trouble := trouble_with(list(column), _COLUMN_FACTOR * limit, MAX_DEPTH + 1):
                return f"argument {name!r} of all items: {trouble}"
        return None

    def step(
        self, interpreter: Interpreter, transition: Transition, record: Record
    ) -> tuple[bytes, Transition]:
        """Commit a step, or its failure. Gives the transition that was made: a value that is too large fails."""
        seq_no = record["seq_no"]
        try:
            self._write_step(transition, record)
        except InvalidValue as error:
            transition = interpreter.fail(self.state, error.message)
            self._write_step(transition, record)
        self.state.apply(transition, seq_no, in_loop=seq_no in interpreter.loop_steps)
        if transition.failure is not None:
            self._writer.set_list("errors", self.state.errors)
        kind = "failure" if transition.failed else "step"
        return self._commit(kind, step_subject(seq_no, transition), record), transition

    def _write_step(self, transition: Transition, record: Record) -> None:
        kind = "failure" if transition.failed else "step"
        self._writer.set_record({"kind": kind, **record})
        self._writer.set_variables(transition.variables)

    def decide(self, record: Record, *, author: str | None) -> bytes:
        """A person's decision; one about limits changes them from here on."""
        limits = record.get("limits")
        if limits:
            self.goal = {**self.goal, "limits": {**self.limits, **limits}}
            self._writer.set_goal(self.goal)
        return self._commit("decision", f"decision: {decision_text(record)}", record, author=author)

    def stop(self, record: Record, *, author: str | None = None) -> bytes:
        """The run ends before its plan does: a limit, or a cancellation, which is a person's."""
        message = record["message"]
        self.state.status = CANCELLED if record.get("reason") == "cancelled" else FAILED
        failure = StepFailure(self.state.pc, message)
        self.state.error = failure.to_json()
        return self._commit("stop", f"stop: {message}", record, author=author)

    def _commit(self, kind: str, subject: str, record: Record, *, author: str | None = None) -> bytes:
        if kind not in ("step", "failure"):
            self._writer.set_record({"kind": kind, **record})
        ended_ms = record.get("ended_ms", record.get("decided_ms"))
        if ended_ms is not None:
            self.time = max(self.time, ended_ms // 1000)
        self.state.worked_ms += _worked_ms(record)
        if record.get("model_calls"):
            self.state.usage = add_usage(self.state.usage, record["model_calls"])
        tree = self._writer.tree(self.state.control())
        pushed = bytes.fromhex(record["pushed"]) if kind == "push" else None
        message = self._message(kind, subject, record)
        oid = self.journal.append(tree, self.time, message, author, pushed=pushed)
        if kind not in TRANSPARENT_KINDS:
            self.anchor = oid
        return oid

    def _message(self, kind: str, subject: str, record: Mapping[str, Any]) -> str:
        trailers = {"Kind": kind}
        if "seq_no" in record:
            trailers["Step"] = str(record["seq_no"])
        if record.get("tool"):
            trailers["Tool"] = record["tool"]
        trailers["Task"] = self.task_id
        return format_message(subject, trailers)


def _count_steps(plan: Plan) -> str:
    count = len(plan.steps)
    return f"{count} {'step' if count == 1 else 'steps'}"


def _worked_ms(record: Mapping[str, Json]) -> int:
    if "ended_ms" in record and "started_ms" in record:
        return max(0, int(record["ended_ms"]) - int(record["started_ms"]))
    return 0


def step_subject(seq_no: int, transition: Transition) -> str:
    """What a step's commit says on its first line."""
    subject = f"step {seq_no}: {transition.summary}"
    if transition.failed and transition.failure is not None:
        return f"{subject} failed: {one_line(transition.failure.message, 160)}"
    return subject


def decision_text(record: Mapping[str, Any]) -> str:
    """A decision in words."""
    if "limits" in record:
        return ", ".join(
            f"limit of {name} is now {value}" for name, value in sorted(record["limits"].items())
        )
    item = f" item {record['item']}" if record.get("item") is not None else ""
    return f"{record.get('choice')} step {record.get('seq_no')}{item}"
