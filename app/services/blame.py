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
from app.plan.model import Json
from app.plan.values import shorten
from app.services.commit_views import CommitView, header, view_commit
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.moments import Moments
from app.vm.writes import Origin, Writes

_NAMED: Final = 5
_COMPARED: Final = 5_000


@dataclass(frozen=True, slots=True)
class VariableBlame:
    """A variable, its value, and the commit that last set it."""

    name: str
    value: Json
    last_set: CommitView
    origin: Origin

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self.last_set.to_json(),
            "origin": self.origin.to_json(),
            "value": self.value,
        }


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
    workplace: Workplace, task: TaskRow, revision: str | None, name: str | None = None
) -> Blame:
    """All variables at a revision, or one; by default at the head of the current branch.

    Raises ``NotFound`` for a variable that is not set there, and as ``Repository.resolve`` does.
    """
    with open_repository(workplace, task) as repository:
        chosen = revision if revision is not None else task.current_branch
        head = repository.resolve(chosen)
        entries = repository.reader.variable_entries(head.tree)
        if name is not None and name not in entries:
            raise unknown_variable(name, set(entries), f"{shorten(chosen)} sets no variable")
        wanted = {name} if name is not None else set(entries)
        variables = _blamed(repository, head, entries, wanted)
        branch = chosen if chosen in repository.branches() else None
        return Blame(task.id, branch, head, variables)


def _blamed(
    repository: Repository, head: Commit, entries: Mapping[str, Entry], wanted: set[str]
) -> list[VariableBlame]:
    moments = Moments(repository)
    writes = Writes(moments)
    views: dict[bytes, CommitView] = {}
    blamed = []
    for name, (moment, before) in sorted(writes.last(head.oid, wanted).items()):
        oid = moment.commit.oid
        if oid not in views:
            views[oid] = view_commit(moments, moment)
        value = repository.reader.value(entries[name])
        blamed.append(VariableBlame(name, value, views[oid], writes.origin(moment, before, name)))
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
