"""How far runs are, as lists of tasks show it without opening a history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from app.db.base import Progress, TaskRow
from app.errors import StorageError
from app.history.repository import Repository
from app.services.workplace import Workplace
from app.vm.scribe import Scribe

_NOTED_SECONDS: Final = 1.0
"""How old what lists say of a run that goes on may be, beside the time between two beats of its lease."""


def progress_of(control: Mapping[str, Any], plan: Mapping[str, Any] | None) -> Progress:
    """Of a commit with that ``state.json`` and plan document."""
    planned = None if plan is None else len(plan["steps"])
    usage = json.dumps(control.get("usage", {}), sort_keys=True)
    return Progress(control.get("steps", 0), planned, control.get("worked_ms", 0), usage)


def progress_at(repository: Repository, head: bytes) -> Progress:
    """Of the commit ``head``."""
    tree = repository.commit(head).tree
    return progress_of(repository.reader.control(tree), repository.reader.plan(tree))


def progress_here(scribe: Scribe) -> Progress:
    """Of the newest commit of a scribe."""
    return progress_of(scribe.state.control(), scribe.plan)


class ProgressNotes:
    """What a run that goes on has done, noted now and then: a transaction a second, not one a step.

    One that ends sooner notes nothing before its end.
    """

    def __init__(self, workplace: Workplace, task: TaskRow, branch: str) -> None:
        self._workplace = workplace
        self._task = task
        self._branch = branch
        self._newest: Progress | None = None
        self._told: Progress | None = None
        self._due = monotonic() + _NOTED_SECONDS

    def flushed(self, scribe: Scribe) -> None:
        """What the scribe has committed is durable now."""
        self._newest = progress_here(scribe)

    def note(self) -> None:
        """Write down what is new, where it is time to. To be called while the lease is known to be ours."""
        newest = self._newest
        if newest is None or newest == self._told or monotonic() < self._due:
            return
        self._due = monotonic() + _NOTED_SECONDS
        with suppress(StorageError):  # the next flush will meet the same trouble, and say so
            self._workplace.tasks.note_progress(
                self._task.id, self._branch, newest, self._workplace.clock_ms()
            )
            self._told = newest
