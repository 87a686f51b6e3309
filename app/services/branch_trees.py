"""All branches of a task as one tree: where each left another, and what is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.db.base import TaskRow
from app.history.commits import Commit
from app.history.repository import Repository
from app.services.branches import BranchView, list_branches
from app.services.inspect import LogEntry
from app.services.tasks import MAIN, open_repository
from app.services.workplace import Workplace

_MOST_MARKS: Final = 50
_UNMARKED: Final = ("goal", "plan", "step")


@dataclass(frozen=True, slots=True)
class TreeBranch:
    """A branch in the tree. ``commits`` is the length of its line back to the goal, ``own`` how many of these no
    branch before it has; ``left`` is the branch it left, at the commit ``fork``. ``marks`` are its own commits that
    are more than a step: failures, decisions, revisions; the newest first."""

    view: BranchView
    commits: int
    own: int
    left: str | None
    fork: Commit | None
    marks: Sequence[Commit]

    def to_json(self) -> dict[str, Any]:
        fork = None if self.fork is None else {"branch": self.left, **LogEntry(self.fork).to_json()}
        return {
            **self.view.to_json(),
            "commits": self.commits,
            "own": self.own,
            "fork": fork,
            "marks": [LogEntry(commit).to_json() for commit in self.marks],
        }


def read_tree(workplace: Workplace, task: TaskRow) -> list[TreeBranch]:
    """The branches, each behind the one it left. Each commit is walked once."""
    made = {row.name: row.created_ms for row in workplace.tasks.branches(task.id)}
    views = list_branches(workplace, task)
    views.sort(key=lambda view: (view.name != MAIN, made.get(view.name, 0), view.name))
    owners: dict[bytes, tuple[str, int]] = {}
    with open_repository(workplace, task) as repository:
        return [_tree_branch(repository, view, owners) for view in views]


def _tree_branch(
    repository: Repository, view: BranchView, owners: dict[bytes, tuple[str, int]]
) -> TreeBranch:
    """``owners``: of every commit the first branch that has it, and how far it is from the goal. It is added to."""
    own: list[Commit] = []
    fork: Commit | None = None
    for commit in repository.log(bytes.fromhex(view.commit)):
        if commit.oid in owners:
            fork = commit
            break
        own.append(commit)
    left, depth = owners[fork.oid] if fork is not None else (None, 0)
    for distance, commit in enumerate(reversed(own), depth + 1):
        owners[commit.oid] = (view.name, distance)
    marks = [commit for commit in own if commit.kind not in _UNMARKED]
    return TreeBranch(view, depth + len(own), len(own), left, fork, marks[:_MOST_MARKS])
