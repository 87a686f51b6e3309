"""Blame: which commit last set each variable, and where the value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from app.db.base import TaskRow
from app.errors import NotFound
from app.history.commits import Commit
from app.history.repository import Repository
from app.history.trees import Entry
from app.history.value_ranges import ValueRanges
from app.plan.model import Json
from app.plan.values import shorten
from app.services.commit_views import CommitView, header, view_commit
from app.services.tasks import open_repository
from app.services.value_views import ValueView, view_value
from app.services.workplace import Workplace
from app.vm.moments import Moments
from app.vm.writes import Origin, Writes

_NAMED: Final = 5
_COMPARED: Final = 5_000


@dataclass(frozen=True, slots=True)
class VariableBlame:
    """A variable, its value, and the commit that last set it. ``view`` is there where the value was not read."""

    name: str
    value: Json
    last_set: CommitView
    origin: Origin
    view: ValueView | None = None

    def to_json(self) -> dict[str, Any]:
        origin = self.origin.to_json()
        if self.view is not None:
            set_by = self.last_set.to_json()
            return {"name": self.name, **self.view.to_json(), "set_by": set_by, "origin": origin}
        return {"name": self.name, **self.last_set.to_json(), "origin": origin, "value": self.value}


@dataclass(frozen=True, slots=True)
class Blame:
    """The variables at ``commit``, by name. ``branch`` is ``None`` where the commit was named otherwise."""

    task_id: str
    branch: str | None
    commit: Commit
    variables: list[VariableBlame]

    def to_json(self) -> dict[str, Any]:
        found = [each.to_json() for each in self.variables]
        return {**header(self.task_id, self.branch, self.commit), "variables": found}


def blame_variables(
    workplace: Workplace,
    task: TaskRow,
    revision: str | None,
    name: str | None = None,
    *,
    whole: bool = True,
) -> Blame:
    """All variables at a revision, or one; by default at the head of the current branch. ``whole``: with their
    values, however large.

    Raises ``NotFound`` for a variable that is not set there, and as ``Repository.resolve`` does.
    """
    with open_repository(workplace, task) as repository:
        chosen = revision if revision is not None else task.current_branch
        head = repository.resolve(chosen)
        entries = repository.reader.variable_entries(head.tree)
        if name is not None and name not in entries:
            raise unknown_variable(name, set(entries), f"{shorten(chosen)} sets no variable")
        wanted = {name} if name is not None else set(entries)
        variables = _blamed(repository, head, entries, wanted, whole)
        branch = chosen if chosen in repository.branches() else None
        return Blame(task.id, branch, head, variables)


def _blamed(
    repository: Repository, head: Commit, entries: Mapping[str, Entry], wanted: set[str], whole: bool
) -> list[VariableBlame]:
    moments = Moments(repository)
    writes = Writes(moments)
    views: dict[bytes, CommitView] = {}
    ranges = ValueRanges(repository.reader)
    blamed = []
    for name, (moment, before) in sorted(writes.last(head.oid, wanted).items()):
        oid = moment.commit.oid
        if oid not in views:
            views[oid] = view_commit(moments, moment)
        value = repository.reader.value(entries[name]) if whole else None
        view = view_value(ranges, entries[name]) if not whole else None
        blamed.append(VariableBlame(name, value, views[oid], writes.origin(moment, before, name), view))
    return blamed


def unknown_variable(name: str, known: set[str], otherwise: str) -> NotFound:
    """The error for a variable that is not there; it names those that are called alike."""
    names = sorted(known)
    near = get_close_matches(name[:200], names, n=_NAMED) if len(names) <= _COMPARED else []
    if near:
        hint = "did you mean " + ", ".join(near)
    elif names:
        hint = "set are " + ", ".join(names[:_NAMED])
        hint += f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    else:
        hint = otherwise
    return NotFound("variable", shorten(name), hint=hint)
