"""Two runs compared by what their steps did: aligned, with the first divergence, times and costs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.history.commits import Commit
from app.plan.dataflow import FINAL_ANSWER
from app.plan.diff import Change, value_changes
from app.plan.model import Json
from app.services.branches import status_of
from app.services.revisions import Revision
from app.services.state_changes import VariableChange, variable_changes
from app.services.workplace import Workplace
from app.vm.moments import STEP_KINDS, Moments
from app.vm.run_alignment import Row, RowChange, align_runs
from app.vm.traces import Trace, Traces, counts
from app.vm.usage import NO_USAGE

SAME: Final = "same"


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of the two runs and what it has used. ``worked_ms`` is what its recorded effects took."""

    task_id: str
    branch: str | None
    head: Commit
    status: str
    steps: int
    worked_ms: int
    usage: Mapping[str, Json]

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "branch": self.branch,
            "head": self.head.id,
            "status": self.status,
            "steps": self.steps,
            "worked_ms": self.worked_ms,
            "usage": dict(self.usage),
        }


@dataclass(frozen=True, slots=True)
class StepSide:
    """An executed step of one run. Of a shared one only ``commit`` and ``visit`` are known: it was not read."""

    commit: Commit
    visit: int | None
    trace: Trace | None = None

    def to_json(self) -> dict[str, Any]:
        document = {"commit": self.commit.id, "seq_no": self.commit.seq_no, "visit": self.visit}
        if self.trace is None:
            return document
        trace = self.trace
        return {
            **document,
            "subject": self.commit.subject,
            "duration_ms": trace.duration_ms,
            "model_calls": trace.model_calls,
            "cost": trace.cost,
        }


@dataclass(frozen=True, slots=True)
class StepPair:
    """A step of the left run and the one of the right run that stands for it; ``None`` where there is none."""

    left: StepSide | None
    right: StepSide | None
    change: RowChange

    def to_json(self) -> dict[str, Any]:
        return {
            "left": self.left.to_json() if self.left is not None else None,
            "right": self.right.to_json() if self.right is not None else None,
            "change": self.change,
        }


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first pair that differs, ``index`` its place among the pairs, and what differs in it."""

    index: int
    pair: StepPair
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        changes = [change.to_json() for change in self.changes]
        return {"index": self.index, **self.pair.to_json(), "changes": changes}


@dataclass(frozen=True, slots=True)
class RunComparison:
    """``shared`` is the newest commit that both runs have, ``steps`` all pairs in the order of execution."""

    left: RunSide
    right: RunSide
    shared: Commit | None
    shared_steps: int
    first_divergence: Divergence | None
    steps: list[StepPair]
    variables: list[VariableChange]
    answers: Mapping[str, Json] = field(default_factory=dict)
    """``left`` and ``right``: the final answers of the runs that have one."""

    @property
    def same_answer(self) -> bool:
        return all(change.name != FINAL_ANSWER for change in self.variables)

    def to_json(self) -> dict[str, Any]:
        shared = {"commit": self.shared.id, "steps": self.shared_steps} if self.shared is not None else None
        return {
            "left": self.left.to_json(),
            "right": self.right.to_json(),
            "shared": shared,
            "first_divergence": self.first_divergence.to_json() if self.first_divergence else None,
            "steps": [pair.to_json() for pair in self.steps],
            "variables": [change.to_json() for change in self.variables],
            "final_answer": {"same": self.same_answer, **self.answers},
        }


def compare_runs(workplace: Workplace, left: Revision, right: Revision) -> RunComparison:
    """The runs that lead to two revisions, of one task or of two. Raises ``DamagedHistory``."""
    base = shared_commit(left, right)
    before = _shared_steps(left, base)
    one, other = Traces(Moments(left.repository)), Traces(Moments(right.repository))
    rows = align_runs(
        _traces(one, left, base), _traces(other, right, base), lambda a, b: _cut_short(one, other, a, b)
    )
    pairs = [StepPair(step, step, "same") for step in before]
    pairs += [StepPair(_side(row.left), _side(row.right), row.change) for row in rows]
    index = next((i for i, pair in enumerate(pairs) if pair.change != SAME), None)
    divergence = None
    if index is not None:
        divergence = Divergence(index, pairs[index], _changes(one, other, rows[index - len(before)]))
    return RunComparison(
        _run_side(workplace, left),
        _run_side(workplace, right),
        base,
        len(before),
        divergence,
        pairs,
        variable_changes(left, right),
        _answers(left, right),
    )


def shared_commit(left: Revision, right: Revision) -> Commit | None:
    """The newest commit of both; tasks share none."""
    if left.task.id != right.task.id:
        return None
    return left.repository.common_ancestor(left.commit.oid, right.commit.oid)


def have_parted(left: Revision, right: Revision) -> bool:
    """Whether the two are of different lines: neither came before the other."""
    base = shared_commit(left, right)
    return base is None or base.oid not in (left.commit.oid, right.commit.oid)


def _shared_steps(revision: Revision, base: Commit | None) -> list[StepSide]:
    """Those that both have, oldest first: equal ids are equal steps, so their trees are left alone."""
    if base is None:
        return []
    moments = Moments(revision.repository)
    commits = list(revision.repository.log(base.oid))
    sides = []
    for commit, visit, parent in zip(commits, moments.visits(commits), [*commits[1:], None], strict=True):
        if commit.kind in STEP_KINDS or counts(
            moments.at(commit), moments.at(parent) if parent is not None else None
        ):
            sides.append(StepSide(commit, visit))
    return sides[::-1]


def _traces(traces: Traces, revision: Revision, base: Commit | None) -> list[Trace]:
    found = list(traces.between(revision.commit.oid, base.oid if base is not None else None))
    return found[::-1]


def _side(trace: Trace | None) -> StepSide | None:
    return StepSide(trace.commit, trace.visit, trace) if trace is not None else None


def _cut_short(one: Traces, other: Traces, left: Trace, right: Trace) -> bool:
    """Whether the inputs differ only because a ``for_each`` recorded no item behind its first error."""
    if left.items is None or left.items != right.items or (left.error is None and right.error is None):
        return False
    (shared, columns), (other_shared, other_columns) = one.request(left), other.request(right)
    recorded = min(map(len, [*columns.values(), *other_columns.values()]), default=0)
    cut, other_cut = (
        {name: column[:recorded] for name, column in each.items()} for each in (columns, other_columns)
    )
    return bool(shared == other_shared and cut == other_cut)


def _changes(one: Traces, other: Traces, row: Row) -> tuple[Change, ...]:
    if row.left is None or row.right is None:
        return ()
    if row.change == "output":
        return tuple(value_changes(one.output(row.left), other.output(row.right)))
    return tuple(value_changes(one.inputs(row.left), other.inputs(row.right)))


def _run_side(workplace: Workplace, revision: Revision) -> RunSide:
    control = revision.repository.reader.control(revision.commit.tree)
    known = {row.name: row.status for row in workplace.tasks.branches(revision.task.id)}
    return RunSide(
        revision.task.id,
        revision.branch,
        revision.commit,
        known.get(revision.branch or "") or status_of(control),
        control.get("steps", 0),
        control.get("worked_ms", 0),
        {**NO_USAGE, **control.get("usage", {})},
    )


def _answers(left: Revision, right: Revision) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, revision in (("left", left), ("right", right)):
        reader = revision.repository.reader
        entry = reader.variable_entries(revision.commit.tree).get(FINAL_ANSWER)
        if entry is not None:
            found[name] = reader.value(entry)
    return found
