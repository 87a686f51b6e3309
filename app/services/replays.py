"""Replaying a stored run: no tool and no model, identical ids or the first divergence."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from app.db.base import TaskRow
from app.services.branches import require_branch
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.replay import Replay, ReplayResult


def replay_branch(
    workplace: Workplace, task: TaskRow, branch: str | None, on_commit: Callable[[int], None] | None = None
) -> tuple[str, ReplayResult]:
    """Replay a branch from its first commit; gives its name and the result.

    Raises ``NotFound`` (branch) and ``DamagedHistory`` where an object is missing or wrong.
    """
    with open_repository(workplace, task) as repository:
        name = require_branch(repository, task, branch)
        return name, Replay(repository, task.id, on_commit).run(repository.head(name))


class _OutOfTime(Exception):
    """The replay takes longer than whoever asked waits."""


def replay_within(workplace: Workplace, task: TaskRow, branch: str | None, seconds: float) -> dict[str, Any]:
    """As :func:`replay_branch`, ended after some seconds; gives the document, whose ``complete`` says which.

    What was ended has no verdict: ``identical`` is ``None``, and ``commits`` says how many came out the same.
    """
    deadline, done = monotonic() + seconds, 0

    def on_commit(commits: int) -> None:
        nonlocal done
        done = commits
        if monotonic() > deadline:
            raise _OutOfTime

    with open_repository(workplace, task) as repository:
        name = require_branch(repository, task, branch)
        head = repository.head(name)
        try:
            result = Replay(repository, task.id, on_commit).run(head)
        except _OutOfTime:
            cut = replay_document(task, name, ReplayResult(head.hex(), done, 0))
            return {**cut, "identical": None, "objects": None, "complete": False}
    return {**replay_document(task, name, result), "complete": True}


def replay_document(task: TaskRow, branch: str, result: ReplayResult) -> dict[str, Any]:
    """What a replay found, as JSON; ``divergence`` is ``None`` where all ids were the same."""
    divergence = result.divergence
    return {
        "task_id": task.id,
        "branch": branch,
        "head": result.head,
        "identical": divergence is None,
        "commits": result.commits,
        "objects": result.objects,
        "divergence": None
        if divergence is None
        else {
            "commit": divergence.commit,
            "subject": divergence.subject,
            "reason": divergence.reason,
            "differences": {
                name: {"stored": stored, "replayed": replayed}
                for name, (stored, replayed) in divergence.differences.items()
            },
        },
    }
