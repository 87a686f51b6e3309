"""Holding a branch's lease: waiting for it, keeping it alive while the run goes on, giving it back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from time import monotonic
from typing import Final

from app.crash_points import reached
from app.db.base import Leases, TaskRow
from app.errors import BranchMoved, Conflict, LeaseHeld, StorageError
from app.log_fields import carried
from app.services.workplace import Workplace
from app.vm.interrupts import Asked, Interrupts
from app.vm.state import PAUSED, PLANNING, RUNNING

_POLL_SECONDS: Final = 0.2

_LISTEN_SECONDS: Final = 0.5
"""How late a request from another process may be heard."""

_HOLDINGS: Final = count(1)
"""Tells the threads of this process apart: each holding is an owner of its own."""


def find_holder(workplace: Workplace, task_id: str, branch: str) -> tuple[str, float] | None:
    """Who runs the branch, and for how many seconds at least; ``None`` also where its process is known to be dead."""
    holder = workplace.leases.holder(task_id, branch)
    return None if holder is None or workplace.presence.is_dead(holder[0]) else holder


def standing(workplace: Workplace, task_id: str, branch: str, status: str) -> str:
    """A status as a row has it, as it is: what runs has somebody who runs it, else that process died."""
    if status in (RUNNING, PLANNING) and find_holder(workplace, task_id, branch) is None:
        return PAUSED
    return status


def refuse_running(workplace: Workplace, task: TaskRow, branch: str) -> None:
    """Raise ``Conflict`` where a worker holds the branch's lease."""
    holder = find_holder(workplace, task.id, branch)
    if holder is not None:
        owner, seconds_left = holder
        raise Conflict(
            f"branch {branch!r} is being run by {owner}",
            hint=f"wait for it, or until its lease ends in {seconds_left:.0f} s",
        )


class Heartbeat:
    """A lease that was acquired, with its fence."""

    def __init__(self, leases: Leases, task_id: str, branch: str, fence: int, seconds: float) -> None:
        self._leases = leases
        self._task_id = task_id
        self._branch = branch
        self.fence = fence
        self._seconds = seconds
        self._lost: BranchMoved | None = None
        self.on_beat: Callable[[], None] | None = None
        """Called at each beat while the lease is ours, in the thread that beats."""

    @contextmanager
    def beating(self, interrupts: Interrupts) -> Iterator[None]:
        """Renew in the background, and hear what the run is asked from outside.

        Raises ``BranchMoved`` at the end where the lease was lost meanwhile.
        """
        stop = threading.Event()
        thread = threading.Thread(
            target=carried(self._beat), args=(stop, interrupts), daemon=True, name="lease"
        )
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
        every = self._seconds / 3
        renewal = monotonic() + every
        while not stop.wait(min(_LISTEN_SECONDS, every)):
            try:
                if monotonic() >= renewal:
                    self._leases.renew(self._task_id, self._branch, self.fence, self._seconds)
                    renewal = monotonic() + every
                asked = self._leases.asked(self._task_id, self._branch, self.fence)
                if asked is not None:
                    interrupts.ask(Asked(*asked))
                if self.on_beat is not None:
                    self.on_beat()
            except BranchMoved as moved:
                # The fence keeps us from committing anything; there is no use in going on.
                self._lost = moved
                interrupts.stop_now()
                return
            except StorageError:
                continue  # the next flush will meet the same trouble, and say so

    def confirm(self) -> None:
        """Raise ``BranchMoved`` where the lease is another's by now: how the run stands is not ours to tell then."""
        self._leases.renew(self._task_id, self._branch, self.fence, self._seconds)

    def raise_if_lost(self) -> None:
        """Raise ``BranchMoved`` where that was noticed: the interrupt that follows may come at any moment."""
        if self._lost is not None:
            raise self._lost from None

    def release(self) -> bool:
        """Give the lease back, where it is still ours. ``False`` where the database can't be reached."""
        with suppress(BranchMoved):
            try:
                self._leases.release(self._task_id, self._branch, self.fence)
            except StorageError:
                return False
        return True


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
    workplace.presence.show()
    owner = f"{workplace.presence.owner}/{next(_HOLDINGS)}"
    while True:
        try:
            fence = _acquire(workplace, task, branch, owner)
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
        if not heartbeat.release():
            workplace.presence.leave_trace()


def _acquire(workplace: Workplace, task: TaskRow, branch: str, owner: str) -> int:
    leases, seconds = workplace.leases, workplace.lease_seconds
    try:
        return leases.acquire(task.id, branch, owner, seconds)
    except LeaseHeld as held:
        if not workplace.presence.is_dead(held.owner):
            raise
        return leases.acquire(task.id, branch, owner, seconds, dead=held.owner)
