"""What differs between the states of two revisions: variables by name, and where the run stands."""

from __future__ import annotations

from dataclasses import dataclass

from app.plan.model import Json
from app.services.revisions import Revision


@dataclass(frozen=True, slots=True)
class VariableChange:
    """``change`` is ``added``, ``removed`` or ``changed``; the values are ``None`` where there is none."""

    name: str
    change: str
    old: Json
    new: Json

    def to_json(self) -> dict[str, Json]:
        return {"name": self.name, "change": self.change, "old": self.old, "new": self.new}


def variable_changes(before: Revision, after: Revision) -> list[VariableChange]:
    """Compares ids, also those of two tasks, and reads only the values that differ."""
    left, right = before.repository.reader, after.repository.reader
    old, new = left.variable_entries(before.commit.tree), right.variable_entries(after.commit.tree)
    changes = []
    for name in sorted(old.keys() | new.keys()):
        was, is_now = old.get(name), new.get(name)
        if was is not None and is_now is not None and was.oid == is_now.oid:
            continue
        change = "added" if was is None else "removed" if is_now is None else "changed"
        before_value = left.value(was) if was is not None else None
        after_value = right.value(is_now) if is_now is not None else None
        changes.append(VariableChange(name, change, before_value, after_value))
    return changes


def control_changes(before: Revision, after: Revision) -> dict[str, tuple[Json, Json]]:
    """Program counter, status and counters: name → (old, new)."""
    old = before.repository.reader.control(before.commit.tree)
    new = after.repository.reader.control(after.commit.tree)
    names = sorted(old.keys() | new.keys())
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}
