"""Holding a whole task: no run of it begins or goes on for the block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from app.db.base import TaskRow
from app.errors import BranchMoved, Conflict, LeaseHeld, StackVMError, StorageError
from app.history.base import Store
from app.history.repository import HEADS
from app.services.leases import Heartbeat, hold_lease
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts


@contextmanager
def hold_task(workplace: Workplace, task: TaskRow, store: Store | None) -> Iterator[None]:
    """Hold the lease of every branch; one that lost its lease before can't commit any more.

    ``store`` is the task's history, where it can be opened. Raises ``Conflict`` where a worker runs a branch.
    """
    with ExitStack() as held:
        taken: set[str] = set()
        # Again: somebody may have made a branch while we took the leases of the others.
        while new := branch_names(workplace, task, store) - taken:
            for branch in sorted(new):
                _hold(workplace, task, branch, store, held)
            taken |= new
        yield


def branch_names(workplace: Workplace, task: TaskRow, store: Store | None) -> set[str]:
    """The branches that a row knows or a ref is; what can't be read is passed over."""
    names = {row.name for row in workplace.tasks.branches(task.id)}
    if store is not None:
        with suppress(StackVMError, UnicodeError):
            names |= {ref.removeprefix(HEADS) for ref in store.refs() if ref.startswith(HEADS)}
    return names


def _hold(workplace: Workplace, task: TaskRow, branch: str, store: Store | None, held: ExitStack) -> None:
    interrupts = Interrupts()
    try:
        heartbeat = held.enter_context(hold_lease(workplace, task, branch, interrupts))
    except LeaseHeld as error:
        raise Conflict(
            f"branch {branch!r} is being run by {error.owner}",
            hint=f"wait for it, or until its lease ends in {error.seconds_left:.0f} s",
        ) from None
    if store is not None:
        # A damaged history can have no fence; it is deleted all the same.
        with suppress(StorageError, BranchMoved):
            store.raise_fence(HEADS + branch, heartbeat.fence)
    held.enter_context(_beating(heartbeat, interrupts))


@contextmanager
def _beating(heartbeat: Heartbeat, interrupts: Interrupts) -> Iterator[None]:
    """Keep the lease. That it is gone when all is done is no error: a deleted task has none."""
    with suppress(BranchMoved), heartbeat.beating(interrupts):
        yield
