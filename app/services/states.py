"""The state of a commit, and the values in it: small ones whole, of large ones the part that is asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.db.base import TaskRow
from app.errors import NotFound, ReferenceFailed
from app.history.commits import Commit
from app.history.repository import Repository
from app.history.value_ranges import ValueRanges
from app.plan.model import Json
from app.plan.paths import format_path, parse_path
from app.plan.values import shorten
from app.services.blame import unknown_variable
from app.services.commit_views import CommitView, view_commit
from app.services.tasks import open_repository
from app.services.value_views import ValueView, view_value
from app.services.workplace import Workplace
from app.vm.moments import Moments
from app.vm.writes import Writes

MOST_BYTES: Final = 1 << 20
"""About how much JSON a part of a value is at most."""
AUTHORS_WITHIN: Final = 300
"""Commits back to which it is looked for who set a variable; `blame` looks further."""


@dataclass(frozen=True, slots=True)
class VariableView:
    """A variable of a state, and the commit that last set it."""

    name: str
    value: ValueView
    set_by: CommitView | None

    def to_json(self) -> dict[str, Any]:
        set_by = self.set_by.to_json() if self.set_by is not None else None
        return {"name": self.name, **self.value.to_json(), "set_by": set_by}


@dataclass(frozen=True, slots=True)
class StateView:
    """A state. ``variables`` are some of ``count``, by name; ``after`` is the last of them where there are more."""

    task_id: str
    commit: Commit
    goal: Mapping[str, Json]
    control: Mapping[str, Json]
    plan: Mapping[str, Json] | None
    count: int
    variables: list[VariableView]
    after: str | None


@dataclass(frozen=True, slots=True)
class ValuePart:
    """A value, or the part of it from ``offset`` with ``taken`` items, keys or characters of ``size``.

    ``type`` and ``size`` are those of the whole value at ``path``.
    """

    task_id: str
    commit: Commit
    name: str
    path: str
    type: str
    size: int | None
    offset: int
    taken: int
    value: Json

    @property
    def next(self) -> int | None:
        """Where the next part begins; ``None`` behind the last."""
        end = self.offset + self.taken
        return end if self.size is not None and end < self.size else None

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "commit": self.commit.id,
            "name": self.name,
            "path": self.path,
            "type": self.type,
            "size": self.size,
            "offset": self.offset,
            "next": self.next,
            "value": self.value,
        }


def read_state(
    workplace: Workplace,
    task: TaskRow,
    revision: str,
    limit: int,
    after: str | None = None,
    *,
    with_authors: bool = True,
) -> StateView:
    """The state at a revision, with the ``limit`` variables behind ``after`` in the order of their names.

    ``with_authors``: with the commit that last set each, unless that was long ago. Raises ``NotFound``,
    ``Ambiguous``, ``InputError``.
    """
    with open_repository(workplace, task) as repository:
        commit = repository.resolve(revision)
        reader = repository.reader
        entries = reader.variable_entries(commit.tree)
        names = sorted(entries)
        start = bisect_right(names, after) if after is not None else 0
        chosen = names[start : start + limit]
        authors = _authors(repository, commit, set(chosen)) if with_authors else {}
        ranges = ValueRanges(reader)
        return StateView(
            task.id,
            commit,
            reader.goal(commit.tree),
            reader.control(commit.tree),
            reader.plan(commit.tree),
            len(names),
            [VariableView(name, view_value(ranges, entries[name]), authors.get(name)) for name in chosen],
            chosen[-1] if start + limit < len(names) else None,
        )


def _authors(repository: Repository, head: Commit, names: set[str]) -> dict[str, CommitView]:
    moments = Moments(repository)
    views: dict[bytes, CommitView] = {}
    authors = {}
    for name, (moment, _) in Writes(moments).last(head.oid, names, AUTHORS_WITHIN).items():
        oid = moment.commit.oid
        if oid not in views:
            views[oid] = view_commit(moments, moment)
        authors[name] = views[oid]
    return authors


def read_variable(
    workplace: Workplace,
    task: TaskRow,
    revision: str,
    name: str,
    path_text: str = "",
    offset: int = 0,
    limit: int | None = None,
) -> ValuePart:
    """A variable's value, or what lies at a path in it; of a long one the part from ``offset`` on, as much of it as
    fits an answer, and no more than ``limit`` items, keys or characters.

    Raises ``NotFound`` (revision, variable, path), ``Ambiguous``, ``InputError``.
    """
    path = parse_path(path_text)
    with open_repository(workplace, task) as repository:
        commit = repository.resolve(revision)
        entries = repository.reader.variable_entries(commit.tree)
        if name not in entries:
            raise unknown_variable(name, set(entries), f"{shorten(revision)} sets no variable")
        ranges = ValueRanges(repository.reader)
        node = ranges.open(entries[name])
        try:
            for part in path:
                node = ranges.pick(node, part, format_path((name, *path)))
        except ReferenceFailed as error:
            raise NotFound("value", shorten(format_path((name, *path)), 200), hint=error.message) from None
        value, taken = ranges.slice(node, offset, MOST_BYTES if limit is None else limit, MOST_BYTES)
        return ValuePart(
            task.id,
            commit,
            name,
            format_path(path),
            ranges.type(node),
            ranges.size(node),
            offset,
            taken,
            value,
        )
