"""Revisions of a task, or of several: ``REV``, or ``TASK:REV`` for one of another task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from app.db.base import TaskRow
from app.errors import Ambiguous, NotFound
from app.history.commits import Commit
from app.history.repository import Repository
from app.plan.values import shorten
from app.services.tasks import find_task, open_repository
from app.services.workplace import Workplace

BETWEEN = ":"
"""Stands between a task and its revision. Neither a branch nor an id can hold it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of a task. ``branch`` is ``None`` where it was not named by one."""

    task: TaskRow
    repository: Repository
    branch: str | None
    commit: Commit


@contextmanager
def open_revisions(workplace: Workplace, task: TaskRow, *texts: str) -> Iterator[list[Revision]]:
    """The revisions that were named, their repositories open within the block, each once.

    A text without a task means ``task``; one without a revision the task's current branch.
    Raises ``NotFound``, ``Ambiguous``, ``InputError``.
    """
    with ExitStack() as opened:
        repositories: dict[str, Repository] = {}
        found = []
        for text in texts:
            prefix, between, revision = text.partition(BETWEEN)
            owner = find_task(workplace, prefix) if between and prefix else task
            if owner.id not in repositories:
                repositories[owner.id] = opened.enter_context(open_repository(workplace, owner))
            named = (revision or owner.current_branch) if between else text
            found.append(_resolve(workplace, repositories[owner.id], owner, named, is_bare=not between))
        yield found


def _resolve(
    workplace: Workplace, repository: Repository, task: TaskRow, named: str, *, is_bare: bool
) -> Revision:
    try:
        commit = repository.resolve(named)
    except NotFound:
        if is_bare and _is_task(workplace, named):
            hint = f"it is a task: write {shorten(named)}{BETWEEN} for its current branch"
            raise NotFound("revision", named, hint=hint) from None
        raise
    return Revision(task, repository, named if named in repository.branches() else None, commit)


def _is_task(workplace: Workplace, text: str) -> bool:
    try:
        find_task(workplace, text)
    except Ambiguous:
        return True
    except NotFound:
        return False
    return True
