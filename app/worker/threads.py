"""The worker threads of a process: each takes a job, runs it, takes the next; all its jobs are kept together.

A worker that is told to stop has its runs pause at their next step, and gives their jobs back for others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Final, NamedTuple, Protocol

from app.db.serving import Claim, JobTable
from app.errors import BranchMoved, ConfigurationError, LeaseHeld, NotFound, StackVMError, StorageError
from app.log_fields import bound, tell
from app.observability.base import Claimed, HandedBack
from app.observability.watching import note_all
from app.queue.base import RunQueue
from app.services.giving_up import MAX_TAKEOVERS, count_takeovers, give_up
from app.services.queueing import run_claimed, running_limits
from app.services.workplace import Workplace
from app.vm.events import Event, Listener, RevisionMade, StepCommitted
from app.vm.interrupts import Asked, Interrupts
from app.worker.trials import Trial, Trials

POLL_SECONDS: Final = 0.5
"""How late a job that another process put is seen."""
_ORPHANS_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 2.0
_SOON_SECONDS: Final = 0.1
_NOW_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.1
_LIMITS_SECONDS: Final = 1.0
_TURN_SECONDS: Final = 1.0
_SHUTDOWN: Final = "shutdown"

logger = logging.getLogger(__name__)


class Watcher(Protocol):
    """Tells others how a run goes on."""

    def open(self, task_id: str, branch: str) -> Listener:
        """The listener of a run that begins."""

    def close(self, task_id: str, branch: str) -> None:
        """It is over, here; ``branch`` is where it began."""


class _Later(NamedTuple):
    """Somebody is to go on with a run in so many seconds; ``why`` as in :class:`HandedBack`."""

    seconds: float
    why: str


_AT_ONCE: Final = _Later(0.0, "shutdown")


class WorkerThreads:
    """``threads`` runs at once, of all tasks or those of some namespaces. ``watcher`` hears of them."""

    def __init__(
        self,
        workplace: Workplace,
        jobs: JobTable,
        queue: RunQueue,
        *,
        threads: int,
        namespaces: Collection[str] = (),
        watcher: Watcher | None = None,
    ) -> None:
        self._workplace = workplace
        self._jobs = jobs
        self._queue = queue
        self._count = threads
        self._namespaces = namespaces
        self._watcher = watcher
        self._stopping = threading.Event()
        self._at_once = threading.Event()
        self._running: dict[int, Interrupts] = {}
        self._limits_read: tuple[float, Mapping[str, int]] = (-inf, {})
        self._lock = threading.Lock()
        self._trials = Trials()
        self._threads: list[threading.Thread] = []
        self.ended = 0
        """How many runs ended here, or wait for somebody."""
        self.given_back = 0
        """How many runs others are to go on with."""

    def start(self) -> None:
        """Begin to take jobs."""
        self._workplace.presence.show()
        targets: list[Callable[[], None]] = [self._keep, *[self._work] * self._count]
        for number, target in enumerate(targets):
            thread = threading.Thread(target=target, daemon=True, name=f"worker-{number}")
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> int:
        """Have all runs pause, and wait at most so long until their jobs are given back; then have them stop at once.
        Gives how many runs did not even do that: they go on elsewhere when their leases have run out."""
        self._stopping.set()
        with self._lock:
            for interrupts in self._running.values():
                interrupts.ask(Asked("pause", _SHUTDOWN))
        self._join(seconds, self._at_once.is_set)
        self.stop_now()
        self._join(_NOW_SECONDS)
        left = len(self._running)
        if left:
            # Tools that heed nothing end with the process. Others need not count us among the dead of their runs.
            self._workplace.presence.leave_trace()
            with suppress(StorageError):
                self.given_back += self._jobs.give_back_all(self._workplace.presence.owner)
        return left

    def stop_now(self) -> None:
        """Have all runs stop without waiting for their steps: nothing is lost, and they go on elsewhere."""
        self._stopping.set()
        with self._lock:
            for interrupts in self._running.values():
                interrupts.stop_now()
        self._at_once.set()

    def _join(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        deadline = monotonic() + seconds
        for thread in self._threads:
            while thread.is_alive() and monotonic() < deadline and not is_over():
                thread.join(min(_LOOK_SECONDS, max(0.0, deadline - monotonic())))

    @property
    def under_way(self) -> int:
        """How many runs this process has."""
        return len(self._running)

    def _names(self) -> Collection[str | None]:
        """The namespaces that are looked after by now; ``None``: tasks without one."""
        if self._namespaces:
            return self._namespaces
        try:
            return [None, *(row.name for row in self._workplace.namespaces.list())]
        except StorageError:
            return [None]

    def _limits(self) -> Mapping[str, int]:
        """Those of namespaces, as they were a moment ago."""
        read_at, limits = self._limits_read
        if monotonic() >= read_at + _LIMITS_SECONDS:
            limits = running_limits(self._workplace)
            self._limits_read = monotonic(), limits
        return limits

    def _work(self) -> None:
        line = self._queue.open_line(self._names)
        while not self._stopping.is_set():
            look = line.next(POLL_SECONDS)
            if look is None:
                continue
            try:
                claim = None if self._stopping.is_set() else self._claim(look.task_id)
            except StackVMError as error:
                tell(logger, logging.WARNING, "queue.unreadable", f"no job can be taken: {error}")
                line.settle(found=False)
                self._stopping.wait(_RETRY_SECONDS)
                continue
            again = claim is not None and self._run(claim)
            line.settle(found=claim is not None, again=again)
        line.close()

    def _claim(self, task_id: str | None) -> Claim | None:
        return self._jobs.claim(
            self._workplace.presence.owner,
            self._workplace.lease_seconds,
            limits=self._limits(),
            namespaces=self._namespaces,
            task_id=task_id,
        )

    def _run(self, claim: Claim) -> bool:
        """Whether another is to go on with it at once."""
        interrupts = Interrupts()
        with self._lock:
            self._running[claim.number] = interrupts
        if self._stopping.is_set():
            interrupts.ask(Asked("pause", _SHUTDOWN))
        job = claim.job
        try:
            with bound(trace=job.trace, task_id=job.task_id, branch=job.branch):
                note_all(self._workplace.observers, Claimed(claim.takeovers))
                return self._run_claimed(claim, interrupts)
        finally:
            with self._lock:
                del self._running[claim.number]
            if self._watcher is not None:
                self._watcher.close(claim.job.task_id, claim.job.branch)

    def _run_claimed(self, claim: Claim, interrupts: Interrupts) -> bool:
        owner = self._workplace.presence.owner
        later = self._run_until(claim, interrupts)
        if later is not None:
            note_all(self._workplace.observers, HandedBack(later.why))
        with suppress(StorageError):  # else the claim runs out
            if later is None:
                self._jobs.remove(claim.number, owner)
                self.ended += 1
            else:
                self._jobs.give_back(claim.number, owner, later.seconds)
                self.given_back += 1
            namespace = claim.job.namespace
            if namespace is not None and namespace in self._limits():
                self._queue.freed(namespace)
        return later is not None and later.seconds == 0.0

    def _run_until(self, claim: Claim, interrupts: Interrupts) -> _Later | None:
        """Run it; gives when somebody is to go on with it, if anybody."""
        try:
            takeovers = count_takeovers(self._workplace, self._jobs, claim)
            if takeovers >= MAX_TAKEOVERS:
                give_up(self._workplace, claim.job, takeovers)
                return None
            trial = self._trials.begin(alone=takeovers == MAX_TAKEOVERS - 1)
            if trial is None:
                return _Later(_TURN_SECONDS, "turn")
            try:
                report = run_claimed(self._workplace, claim.job, interrupts, self._listener(claim, trial))
            finally:
                trial.end()
            was_asked = interrupts.asked == Asked("pause", _SHUTDOWN)
            return _AT_ONCE if report is not None and report.status == "paused" and was_asked else None
        except KeyboardInterrupt:  # it was to stop at once
            return _AT_ONCE
        except LeaseHeld as error:
            # Whoever runs it has no job of it, a command perhaps: it may leave it unfinished. Or it died.
            tell(logger, logging.INFO, "run.held", str(error))
            return _Later(min(_RETRY_SECONDS, max(_SOON_SECONDS, error.seconds_left)), "lease")
        except BranchMoved as error:
            tell(logger, logging.INFO, "run.held", str(error))
            return _Later(_RETRY_SECONDS, "lease")
        except StorageError as error:
            tell(logger, logging.WARNING, "run.put_back", f"task {claim.job.task_id} is put back: {error}")
            return _Later(_RETRY_SECONDS, "storage")
        except (NotFound, ConfigurationError, StackVMError) as error:
            tell(logger, logging.WARNING, "run.refused", f"task {claim.job.task_id}: {error}")
        except Exception:
            logger.exception(
                "task %s ended by a fault of ours", claim.job.task_id, extra={"event": "run.fault"}
            )
        return None

    def _listener(self, claim: Claim, trial: Trial) -> Listener:
        told = self._watcher.open(claim.job.task_id, claim.job.branch) if self._watcher is not None else None

        def listen(event: Event) -> None:
            if isinstance(event, StepCommitted):
                trial.end()
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
