"""What commands ask about tasks and have done with them, wherever the tasks are: here, or at a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from app.db.base import TaskRow
from app.services.branches import BranchView, list_branches, require_branch
from app.services.inspect import LogEntry, TaskView, read_log, show_task
from app.services.steering import Steered, cancel_run, pause_run
from app.services.tasks import find_task, list_tasks, open_repository
from app.services.waiting import Decided, Decision, decide
from app.services.workplace import Workplace


class Desk(Protocol):
    """``task`` is an id or the beginning of one. All may raise what the services raise."""

    def tasks(self, status: str | None, limit: int) -> Sequence[TaskRow]:
        """The newest first."""

    def show(self, task: str, revision: str | None) -> TaskView:
        """The task at a revision."""

    def log(
        self, task: str, branch: str | None, limit: int | None, *, with_records: bool
    ) -> Iterator[LogEntry]:
        """The commits of a branch or revision, newest first."""

    def branches(self, task: str) -> Sequence[BranchView]:
        """By name."""

    def decide(self, task: str, branch: str | None, decision: Decision) -> Decided:
        """Commit a decision; the run does not go on by it."""

    def pause(self, task: str, branch: str | None, *, wait: bool, on_asked: Callable[[str], None]) -> Steered:
        """Have a run pause at its next step; ``on_asked`` is told who runs it."""

    def cancel(
        self, task: str, branch: str | None, *, wait: bool, on_asked: Callable[[str], None]
    ) -> Steered:
        """End a run for good."""


class LocalDesk:
    """The :class:`Desk` of this machine's workplace."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace

    def tasks(self, status: str | None, limit: int) -> Sequence[TaskRow]:
        return list_tasks(self._workplace, status, limit)

    def show(self, task: str, revision: str | None) -> TaskView:
        return show_task(self._workplace, self._find(task), revision)

    def log(
        self, task: str, branch: str | None, limit: int | None, *, with_records: bool
    ) -> Iterator[LogEntry]:
        return islice(read_log(self._workplace, self._find(task), branch, with_records=with_records), limit)

    def branches(self, task: str) -> Sequence[BranchView]:
        return list_branches(self._workplace, self._find(task))

    def decide(self, task: str, branch: str | None, decision: Decision) -> Decided:
        row = self._find(task)
        with open_repository(self._workplace, row) as repository:
            name = require_branch(repository, row, branch)
        return decide(self._workplace, row, name, decision)

    def pause(self, task: str, branch: str | None, *, wait: bool, on_asked: Callable[[str], None]) -> Steered:
        return pause_run(self._workplace, self._find(task), branch, wait=wait, on_asked=on_asked)

    def cancel(
        self, task: str, branch: str | None, *, wait: bool, on_asked: Callable[[str], None]
    ) -> Steered:
        return cancel_run(self._workplace, self._find(task), branch, wait=wait, on_asked=on_asked)

    def _find(self, task: str) -> TaskRow:
        return find_task(self._workplace, task)
