"""Holding a branch's lease: waiting for it, keeping it alive while the run goes on, giving it back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

from app.crash_points import reached
from app.db.base import Leases, TaskRow
from app.errors import BranchMoved, LeaseHeld, StorageError
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts

_POLL_SECONDS: Final = 0.2

_HOLDINGS: Final = count(1)
"""Tells the threads of this process apart: each holding is an owner of its own."""


class Heartbeat:
    """A lease that was acquired, with its fence."""

    def __init__(self, leases: Leases, task_id: str, branch: str, fence: int, seconds: float) -> None:
        self._leases = leases
        self._task_id = task_id
        self._branch = branch
        self.fence = fence
        self._seconds = seconds
        self._lost: BranchMoved | None = None

    @contextmanager
    def beating(self, interrupts: Interrupts) -> Iterator[None]:
        """Renew in the background. Raises ``BranchMoved`` at the end where the lease was lost meanwhile."""
        stop = threading.Event()
        thread = threading.Thread(target=self._beat, args=(stop, interrupts), daemon=True, name="lease")
        thread.start()
        try:
            yield
        except KeyboardInterrupt:
            if self._lost is not None:
                raise self._lost from None
            raise
        finally:
            stop.set()
            thread.join(timeout=self._seconds)

    def _beat(self, stop: threading.Event, interrupts: Interrupts) -> None:
        # A third: two renewals may be missed before the lease is anybody's.
        while not stop.wait(self._seconds / 3):
            try:
                self._leases.renew(self._task_id, self._branch, self.fence, self._seconds)
            except BranchMoved as moved:
                # The fence keeps us from committing anything; there is no use in going on.
                self._lost = moved
                interrupts.request()
                return
            except StorageError:
                continue  # the next flush will meet the same trouble, and say so

    def release(self) -> None:
        """Give the lease back, where it is still ours and the database can be reached."""
        with suppress(BranchMoved, StorageError):
            self._leases.release(self._task_id, self._branch, self.fence)


@contextmanager
def hold_lease(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    interrupts: Interrupts,
    on_held: Callable[[LeaseHeld], None] | None = None,
) -> Iterator[Heartbeat]:
    """Hold the branch's lease for the block. Where another worker has it: raises ``LeaseHeld`` without
    ``on_held``, else calls that (which may raise) and waits."""
    owner = f"{workplace.worker}/{next(_HOLDINGS)}"
    while True:
        try:
            fence = workplace.leases.acquire(task.id, branch, owner, workplace.lease_seconds)
            break
        except LeaseHeld as held:
            if on_held is None:
                raise
            on_held(held)
            with interrupts.awaiting():
                time.sleep(_POLL_SECONDS)
    reached("lease.taken")
    heartbeat = Heartbeat(workplace.leases, task.id, branch, fence, workplace.lease_seconds)
    try:
        yield heartbeat
    finally:
        heartbeat.release()
