"""Differences between two revisions of a task, or of two: of the plans, the states, the texts, and the runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from dulwich.object_store import OverlayObjectStore
from dulwich.objects import ObjectID
from dulwich.patch import write_tree_diff

from app.db.base import TaskRow
from app.history.commits import Commit
from app.history.dulwich_adapter import StoreObjectStore
from app.plan.diff import PlanDiff, diff_plans
from app.plan.model import Json, Plan
from app.plan.parse import plan_from_json
from app.services.comparisons import RunComparison, compare_runs, have_parted
from app.services.revisions import Revision, open_revisions
from app.services.state_changes import VariableChange, control_changes, variable_changes
from app.services.workplace import Workplace

LEVELS: Final = ("plan", "state", "text", "runs")


@dataclass(frozen=True, slots=True)
class StateDiff:
    """``control`` holds what differs of program counter, status and counters: name → (old, new)."""

    variables: list[VariableChange]
    control: dict[str, tuple[Json, Json]]

    def to_json(self) -> dict[str, Any]:
        return {
            "variables": [change.to_json() for change in self.variables],
            "control": {name: {"old": old, "new": new} for name, (old, new) in self.control.items()},
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs at the levels that were asked for; the others are ``None``.

    ``runs`` is ``None``, too, where one revision came before the other and more was asked for than the runs.
    """

    old: Commit
    new: Commit
    levels: tuple[str, ...]
    plan: PlanDiff | None = None
    state: StateDiff | None = None
    text: str | None = None
    runs: RunComparison | None = None

    def to_json(self) -> dict[str, Any]:
        parts = {
            "plan": self.plan.to_json() if self.plan is not None else None,
            "state": self.state.to_json() if self.state is not None else None,
            "text": self.text,
            "runs": self.runs.to_json() if self.runs is not None else None,
        }
        return {"from": self.old.id, "to": self.new.id, **{level: parts[level] for level in self.levels}}


def diff_revisions(
    workplace: Workplace, task: TaskRow, old: str, new: str | None, levels: Collection[str] = LEVELS
) -> Difference:
    """From one revision to another, by default to the head of the current branch.

    A revision may be of another task: ``TASK:REV``. Raises ``NotFound``, ``Ambiguous``, ``InputError`` for revisions
    that are none.
    """
    with open_revisions(workplace, task, old, new if new is not None else task.current_branch) as found:
        before, after = found
        with_runs = "runs" in levels and (len(levels) == 1 or have_parted(before, after))
        return Difference(
            before.commit,
            after.commit,
            tuple(level for level in LEVELS if level in levels),
            diff_plans(_plan(before), _plan(after)) if "plan" in levels else None,
            _state(before, after) if "state" in levels else None,
            text_diff(before, after) if "text" in levels else None,
            compare_runs(workplace, before, after) if with_runs else None,
        )


def find_ends(workplace: Workplace, task: TaskRow, old: str, new: str | None) -> tuple[Commit, Commit]:
    """The commits that :func:`diff_revisions` compares. Raises as it does."""
    with open_revisions(workplace, task, old, new if new is not None else task.current_branch) as found:
        return found[0].commit, found[1].commit


def _plan(revision: Revision) -> Plan:
    document = revision.repository.reader.plan(revision.commit.tree)
    return Plan(()) if document is None else plan_from_json(document)


def _state(before: Revision, after: Revision) -> StateDiff:
    return StateDiff(variable_changes(before, after), control_changes(before, after))


def text_diff(before: Revision, after: Revision) -> str:
    """What ``git diff`` shows."""
    out = BytesIO()
    objects = OverlayObjectStore([StoreObjectStore(each.repository.store) for each in (before, after)])
    old, new = (ObjectID(each.commit.tree.hex().encode()) for each in (before, after))
    write_tree_diff(out, objects, old, new)
    return out.getvalue().decode(errors="replace")
