"""Which executed steps of a branch read a variable, by the plan that each ran under."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app.db.base import TaskRow
from app.history.commits import Commit
from app.plan.dataflow import reads
from app.plan.values import shorten
from app.services.blame import unknown_variable
from app.services.commit_views import CommitView, view_commit
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.moments import Moment, Moments


@dataclass(frozen=True, slots=True)
class ReadersPage:
    """Some of the commits whose step read a variable, the newest first. ``after`` is the commit to go on from."""

    head: Commit
    readers: list[CommitView]
    after: str | None


def read_readers(
    workplace: Workplace, task: TaskRow, revision: str | None, name: str, limit: int, start: str | None = None
) -> ReadersPage:
    """``limit`` commits up to a revision, or up to ``start``, the ``after`` of the page before; failed steps too.

    Raises ``NotFound`` for a variable that is neither read nor set there, and as ``Repository.resolve`` does.
    """
    with open_repository(workplace, task) as repository:
        chosen = start or (revision if revision is not None else task.current_branch)
        head = repository.resolve(chosen)
        moments = Moments(repository)
        found = list(islice(_readers(moments, head, name), limit + 1))
        if not found and name not in (known := repository.reader.variable_entries(head.tree)):
            raise unknown_variable(name, set(known), f"{shorten(chosen)} sets no variable")
        views = [view_commit(moments, moment) for moment in found[:limit]]
        return ReadersPage(head, views, found[limit].commit.id if len(found) > limit else None)


def _readers(moments: Moments, head: Commit, name: str) -> Iterator[Moment]:
    """A loop runs the same few steps again and again: what a step reads is asked once."""
    known: dict[tuple[bytes | None, int | None], bool] = {}
    for moment, _ in moments.line(head.oid):
        place = (moment.id_of("plan.json"), moment.commit.seq_no)
        if place not in known:
            step = moments.step(moment)
            known[place] = step is not None and name in reads(step)
        if known[place] and moment.commit.kind in ("step", "failure"):
            yield moment
