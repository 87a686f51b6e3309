"""The worker threads of a process: each takes a job, runs it, takes the next; all its jobs are kept together.

A worker that is told to stop has its runs pause at their next step, and gives their jobs back for others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol

from app.db.serving import Claim, JobTable
from app.errors import BranchMoved, ConfigurationError, LeaseHeld, NotFound, StackVMError, StorageError
from app.log_fields import bound, tell
from app.observability.base import Claimed, HandedBack
from app.observability.watching import note_all
from app.queue.base import RunQueue
from app.services.queueing import run_claimed, running_limits
from app.services.workplace import Workplace
from app.vm.events import Event, Listener, RevisionMade
from app.vm.interrupts import Asked, Interrupts

POLL_SECONDS: Final = 0.5
"""How late a job that another process put is seen."""
_ORPHANS_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 2.0
_SOON_SECONDS: Final = 0.1
_SHUTDOWN: Final = "shutdown"

logger = logging.getLogger(__name__)


class Watcher(Protocol):
    """Tells others how a run goes on."""

    def open(self, task_id: str, branch: str) -> Listener:
        """The listener of a run that begins."""

    def close(self, task_id: str, branch: str) -> None:
        """It is over, here; ``branch`` is where it began."""


class WorkerThreads:
    """``threads`` runs at once. ``watcher`` hears of them."""

    def __init__(
        self,
        workplace: Workplace,
        jobs: JobTable,
        queue: RunQueue,
        *,
        threads: int,
        watcher: Watcher | None = None,
    ) -> None:
        self._workplace = workplace
        self._jobs = jobs
        self._queue = queue
        self._count = threads
        self._watcher = watcher
        self._stopping = threading.Event()
        self._running: dict[int, Interrupts] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to take jobs."""
        self._workplace.presence.show()
        targets: list[Callable[[], None]] = [self._keep, *[self._work] * self._count]
        for number, target in enumerate(targets):
            thread = threading.Thread(target=target, daemon=True, name=f"worker-{number}")
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> None:
        """Have all runs pause, and wait at most so long until their jobs are given back."""
        self._stopping.set()
        with self._lock:
            for interrupts in self._running.values():
                interrupts.ask(Asked("pause", _SHUTDOWN))
        deadline = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    @property
    def under_way(self) -> int:
        """How many runs this process has."""
        return len(self._running)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                claim = self._claim()
            except StackVMError as error:
                tell(logger, logging.WARNING, "queue.unreadable", f"no job can be taken: {error}")
                self._stopping.wait(_RETRY_SECONDS)
                continue
            if claim is None:
                self._queue.wait(POLL_SECONDS)
            else:
                self._run(claim)

    def _claim(self) -> Claim | None:
        return self._jobs.claim(
            self._workplace.presence.owner,
            self._workplace.lease_seconds,
            limits=running_limits(self._workplace),
        )

    def _run(self, claim: Claim) -> None:
        interrupts = Interrupts()
        with self._lock:
            self._running[claim.number] = interrupts
        if self._stopping.is_set():
            interrupts.ask(Asked("pause", _SHUTDOWN))
        job = claim.job
        try:
            with bound(trace=job.trace, task_id=job.task_id, branch=job.branch):
                note_all(self._workplace.observers, Claimed(claim.takeovers))
                self._run_claimed(claim, interrupts)
        finally:
            with self._lock:
                del self._running[claim.number]
            if self._watcher is not None:
                self._watcher.close(claim.job.task_id, claim.job.branch)

    def _run_claimed(self, claim: Claim, interrupts: Interrupts) -> None:
        owner = self._workplace.presence.owner
        later: float | None = None
        why = "shutdown"
        try:
            report = run_claimed(self._workplace, claim.job, interrupts, self._listener(claim))
            if (
                report is not None
                and report.status == "paused"
                and interrupts.asked == Asked("pause", _SHUTDOWN)
            ):
                later = 0.0
        except LeaseHeld as error:
            # Whoever runs it has no job of it, a command perhaps: it may leave it unfinished. Or it died.
            tell(logger, logging.INFO, "run.held", str(error))
            later, why = min(_RETRY_SECONDS, max(_SOON_SECONDS, error.seconds_left)), "lease"
        except BranchMoved as error:
            tell(logger, logging.INFO, "run.held", str(error))
            later, why = _RETRY_SECONDS, "lease"
        except StorageError as error:
            tell(logger, logging.WARNING, "run.put_back", f"task {claim.job.task_id} is put back: {error}")
            later, why = _RETRY_SECONDS, "storage"
        except (NotFound, ConfigurationError, StackVMError) as error:
            tell(logger, logging.WARNING, "run.refused", f"task {claim.job.task_id}: {error}")
        except Exception:
            logger.exception(
                "task %s ended by a fault of ours", claim.job.task_id, extra={"event": "run.fault"}
            )
        if later is not None:
            note_all(self._workplace.observers, HandedBack(why))
        with suppress(StorageError):  # else the claim runs out
            if later is None:
                self._jobs.remove(claim.number, owner)
            else:
                self._jobs.give_back(claim.number, owner, later)

    def _listener(self, claim: Claim) -> Listener:
        told = self._watcher.open(claim.job.task_id, claim.job.branch) if self._watcher is not None else None

        def listen(event: Event) -> None:
            if isinstance(event, RevisionMade):
                # Before anything runs there: whoever takes the job over has to go on with the revision.
                with suppress(StorageError):
                    self._jobs.move(claim.number, self._workplace.presence.owner, event.branch)
            if told is not None:
                told(event)

        return listen

    def _keep(self) -> None:
        """Keep all jobs of this process, and free those of processes that died on this machine."""
        owner, seconds = self._workplace.presence.owner, self._workplace.lease_seconds
        renewal = monotonic()
        while not self._stopping.wait(min(_ORPHANS_SECONDS, seconds / 3)) or self._running:
            with suppress(StorageError):  # the claims run out, and others take over
                if monotonic() >= renewal:
                    self._jobs.renew(owner, seconds)
                    renewal = monotonic() + seconds / 3
                for other in self._jobs.owners() - {owner}:
                    if self._workplace.presence.is_dead(other):
                        self._jobs.disown(other)
            if self._stopping.is_set():
                self._stopping.wait(0.1)
                if not self._running:
                    return
