"""Named places where a process may die, so that tests can have it die there.

:func:`reached` does nothing until a test has put something in :data:`armed`; nothing in the product does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "task.stored": "a new task's first commits are there, its row is not yet (SQL: the transaction is open)",
        "task.created": "a new task is there, nothing has run",
        "lease.taken": "a branch's lease is ours, nothing is done with it yet",
        "lease.fenced": "the branch's ref knows our fence",
        "plan.written": "a model's plan is there, its commit is not durable",
        "flush.due": "commits are gathered, and about to be written",
        "flush.written": "objects are written, the branch has not moved (on disk), or the transaction is open (SQL)",
        "flush.done": "the commits are durable",
        "fold.written": "what small writes left is consolidated, the old form is not removed yet",
        "collect.dropped": "garbage is dropped, the transaction is open (SQL); the old packs are gone (on disk)",
        "delete.rows": "a task's rows are gone, its repository on disk is there",
        "delete.aside": "a deleted repository has no name any more, its files are there",
        "attempt.begun": "an attempt is durable, its call has not started",
        "call.returned": "a call has returned, nothing of what it gave is kept",
        "attempt.closed": "what is known of a call that did not succeed is durable",
        "effects.kept": "outcomes that can't be committed yet are durable",
        "effects.dropped": "outcomes that were committed are forgotten",
        "step.committed": "a step is committed in memory",
        "run.over": "a run is over and flushed, the task's row does not say so yet",
        "revision.committed": "a revision is durable on its branch, the task's row does not know the branch",
        "proposal.approving": "an approval is ours, its revision is not committed",
        "proposal.committed": "an approved revision is durable, neither queued nor noted in its proposal",
        "decision.committed": "a decision is durable, the task's row does not say so yet",
        "export.written": "an export is complete and durable, and does not have its name yet",
        "import.begun": "an imported task has a history without anything in it",
        "import.written": "an imported history's objects are durable, no ref points to them",
        "import.stored": "an imported history is durable, marked as not complete, its task's row is not there yet",
        "import.created": "an imported task is there, its history is still marked",
        "push.committed": "a pushed branch is durable with its push commit, the task's row does not know it",
        "stop.committed": "a cancellation is durable, the task's row does not say so yet",
    }
)
"""Every point, and what is done and not done there."""

armed: dict[str, Callable[[], None]] = {}
"""Point → what to do when it is reached. Empty but in tests."""


def reached(point: str) -> None:
    """Say that a point is reached."""
    if armed:
        action = armed.get(point)
        if action is not None:
            action()
