"""Replaying a stored run: no tool and no model, identical ids or the first divergence."""

from __future__ import annotations

from collections.abc import Callable

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
