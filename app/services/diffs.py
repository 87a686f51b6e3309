"""Differences between two revisions of a task, at three levels: plan, state, text."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from dulwich.objects import ObjectID
from dulwich.patch import write_tree_diff

from app.db.base import TaskRow
from app.history.commits import Commit
from app.history.dulwich_adapter import StoreObjectStore
from app.history.repository import Repository
from app.plan.diff import PlanDiff, diff_plans
from app.plan.model import Json, Plan
from app.plan.parse import plan_from_json
from app.services.tasks import open_repository
from app.services.workplace import Workplace


@dataclass(frozen=True, slots=True)
class VariableChange:
    """``change`` is ``added``, ``removed`` or ``changed``; the values are ``None`` where there is none."""

    name: str
    change: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Difference:
    """``control`` holds what differs of program counter, status and counters: name → (old, new)."""

    old: Commit
    new: Commit
    plan: PlanDiff
    variables: list[VariableChange]
    control: dict[str, tuple[Json, Json]]
    text: str

    def to_json(self) -> dict[str, Any]:
        return {
            "from": self.old.id,
            "to": self.new.id,
            "plan": self.plan.to_json(),
            "state": {
                "variables": [
                    {"name": each.name, "change": each.change, "old": each.old, "new": each.new}
                    for each in self.variables
                ],
                "control": {name: {"old": old, "new": new} for name, (old, new) in self.control.items()},
            },
            "text": self.text,
        }


def diff_revisions(workplace: Workplace, task: TaskRow, old: str, new: str | None) -> Difference:
    """From one revision to another, by default to the head of the current branch.

    Raises ``NotFound``, ``Ambiguous``, ``InputError`` for revisions that are none.
    """
    with open_repository(workplace, task) as repository:
        before = repository.resolve(old)
        after = repository.resolve(new if new is not None else task.current_branch)
        return Difference(
            before,
            after,
            diff_plans(_plan(repository, before), _plan(repository, after)),
            _variables(repository, before, after),
            _control(repository, before, after),
            text_diff(repository, before, after),
        )


def _plan(repository: Repository, commit: Commit) -> Plan:
    document = repository.reader.plan(commit.tree)
    return Plan(()) if document is None else plan_from_json(document)


def _variables(repository: Repository, before: Commit, after: Commit) -> list[VariableChange]:
    """Compares ids, and reads only the values that differ."""
    reader = repository.reader
    old, new = reader.variable_entries(before.tree), reader.variable_entries(after.tree)
    changes = []
    for name in sorted(old.keys() | new.keys()):
        was, is_now = old.get(name), new.get(name)
        if was is not None and is_now is not None and was.oid == is_now.oid:
            continue
        change = "added" if was is None else "removed" if is_now is None else "changed"
        left = reader.value(was) if was is not None else None
        right = reader.value(is_now) if is_now is not None else None
        changes.append(VariableChange(name, change, left, right))
    return changes


def _control(repository: Repository, before: Commit, after: Commit) -> dict[str, tuple[Json, Json]]:
    old, new = repository.reader.control(before.tree), repository.reader.control(after.tree)
    names = sorted(old.keys() | new.keys())
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def text_diff(repository: Repository, before: Commit, after: Commit) -> str:
    """What ``git diff`` shows."""
    out = BytesIO()
    objects = StoreObjectStore(repository.store)
    write_tree_diff(out, objects, ObjectID(before.tree.hex().encode()), ObjectID(after.tree.hex().encode()))
    return out.getvalue().decode(errors="replace")
