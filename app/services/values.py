"""Every value that a variable had on a branch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from app.db.base import TaskRow
from app.history.commits import Commit
from app.history.value_cache import ValueCache
from app.history.value_ranges import ValueRanges
from app.plan.model import Json
from app.plan.paths import NAME
from app.plan.values import shorten
from app.services.blame import unknown_variable
from app.services.commit_views import CommitView, view_commit
from app.services.tasks import open_repository
from app.services.value_views import ValueView, view_value
from app.services.workplace import Workplace
from app.vm.moments import Moments
from app.vm.writes import Origin, Write, Writes

ChangeKind: TypeAlias = Literal["set", "changed", "again", "unset"]

UNSET: Final = "unset"


@dataclass(frozen=True, slots=True)
class VariableValue:
    """A value that a commit gave a variable. ``change``: ``set`` where it had none, ``changed``, ``again`` where a
    step set what it had already, ``unset`` where it was taken away (``value`` is ``None`` then).
    """

    set_by: CommitView
    change: ChangeKind
    origin: Origin
    value: Json

    def to_json(self) -> dict[str, Any]:
        document = {**self.set_by.to_json(), "change": self.change, "origin": self.origin.to_json()}
        return document if self.change == UNSET else {**document, "value": self.value}


def read_values(
    workplace: Workplace, task: TaskRow, revision: str | None, name: str, limit: int | None = None
) -> Iterator[VariableValue]:
    """The values up to a revision, oldest first; with ``limit`` only the last so many. Each is read as it is given.

    Raises ``NotFound`` for a variable that no commit set, and as ``Repository.resolve`` does.
    """
    with open_repository(workplace, task) as repository:
        chosen = revision if revision is not None else task.current_branch
        head = repository.resolve(chosen)
        moments = Moments(repository)
        writes = Writes(moments)
        found: list[Write] = []
        if NAME.fullmatch(name):
            found.extend(islice(writes.of(head.oid, name), limit))
        if not found:
            known = set(repository.reader.variable_entries(head.tree))
            raise unknown_variable(name, known, f"{shorten(chosen)} sets no variable")
        cache = ValueCache(repository.reader)
        for write in reversed(found):
            yield VariableValue(
                view_commit(moments, write.moment),
                _change(write),
                writes.origin(write.moment, write.before, name),
                cache.value(write.new) if write.new is not None else None,
            )


@dataclass(frozen=True, slots=True)
class PastValue:
    """As :class:`VariableValue`, without more of a long value than its beginning. ``view`` is ``None`` where there is
    none."""

    set_by: CommitView
    change: ChangeKind
    origin: Origin
    view: ValueView | None

    def to_json(self) -> dict[str, Any]:
        view = self.view.to_json() if self.view is not None else {}
        set_by, origin = self.set_by.to_json(), self.origin.to_json()
        return {"change": self.change, **view, "set_by": set_by, "origin": origin}


@dataclass(frozen=True, slots=True)
class ValuesPage:
    """Some of the values that a variable had, the newest first. ``after`` is the commit to go on from, if any."""

    head: Commit
    values: list[PastValue]
    after: str | None


def read_values_page(
    workplace: Workplace, task: TaskRow, revision: str | None, name: str, limit: int, start: str | None = None
) -> ValuesPage:
    """``limit`` values up to a revision, the newest first; or up to ``start``, the ``after`` of the page before.

    Raises as :func:`read_values`.
    """
    with open_repository(workplace, task) as repository:
        chosen = start or (revision if revision is not None else task.current_branch)
        head = repository.resolve(chosen)
        moments = Moments(repository)
        writes = Writes(moments)
        found = list(islice(writes.of(head.oid, name), limit + 1)) if NAME.fullmatch(name) else []
        if not found:
            known = set(repository.reader.variable_entries(head.tree))
            raise unknown_variable(name, known, f"{shorten(chosen)} sets no variable")
        ranges = ValueRanges(repository.reader)
        given = [
            PastValue(
                view_commit(moments, write.moment),
                _change(write),
                writes.origin(write.moment, write.before, name),
                view_value(ranges, write.new) if write.new is not None else None,
            )
            for write in found[:limit]
        ]
        return ValuesPage(head, given, found[limit].moment.commit.id if len(found) > limit else None)


def _change(write: Write) -> ChangeKind:
    if write.new is None:
        return "unset"
    if write.old is None:
        return "set"
    return "again" if write.old.oid == write.new.oid else "changed"
