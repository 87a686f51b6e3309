"""Sees to it that somebody is told of every job that may be taken: messages get lost, and brokers lose their memory.

Every worker process has a sweeper, and the database says whose turn it is. Nothing depends on its messages being
right: one too many finds nothing to do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from app.db.serving import Backlog, JobTable, MessageTable, Waiting
from app.errors import StackVMError, StorageError
from app.log_fields import tell

SWEEP_SECONDS: Final = 0.5
_DUTY: Final = "sweep"
_DUTY_SECONDS: Final = 1.5
"""How long nobody sweeps after a sweeper has died: less than the rest of its runs' leases."""

_MOST: Final = 500
"""Messages a sweep sends at most, by namespace."""

_SILENT_SECONDS: Final = 1.0
"""A message that was sent just now may be on its way."""

logger = logging.getLogger(__name__)


class Messenger(Protocol):
    """The part of a queue that a sweeper uses."""

    def remind(self, waiting: Sequence[Waiting]) -> None:
        """Send a message about each."""

    def depth(self, namespace: str | None) -> int:
        """How many messages of a namespace wait."""

    def trouble(self) -> str | None:
        """Why nothing can be sent."""


class Sweeper:
    """``limits`` gives how many runs a namespace may have at once, where it says so."""

    def __init__(
        self,
        messages: MessageTable,
        jobs: JobTable,
        queue: Messenger,
        limits: Callable[[], Mapping[str, int]],
        owner: str,
    ) -> None:
        self._messages = messages
        self._jobs = jobs
        self._queue = queue
        self._limits = limits
        self._owner = owner
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="sweeper")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Leave it to others."""
        self._stopping.set()
        self._thread.join(5.0)

    def _work(self) -> None:
        while not self._stopping.wait(SWEEP_SECONDS):
            try:
                if self._messages.elect(_DUTY, self._owner, _DUTY_SECONDS):
                    self.sweep()
            except StackVMError as error:
                tell(logger, logging.INFO, "sweeper.failed", f"nothing is swept: {error}")
            except Exception:
                logger.exception("nothing is swept by a fault of ours", extra={"event": "sweeper.fault"})
        try:
            self._messages.elect(_DUTY, self._owner, 0.0)
        except StorageError:
            return  # it runs out

    def sweep(self) -> int:
        """Once; gives how many messages were sent. Raises ``StorageError``, and what the broker is to blame for."""
        waiting = self._messages.waiting()
        if not waiting or self._queue.trouble() is not None:
            return 0
        limits = self._limits()
        backlog = self._jobs.backlog() if any(name in limits for name in waiting) else None
        due = [each for each in self._messages.due(_MOST) if each.namespace not in limits]
        self._queue.remind(due)
        sent = len(due)
        for namespace, count in waiting.items():
            told = sum(each.namespace == namespace for each in due)
            limit = limits.get(namespace) if namespace is not None else None
            sent += self._fill(namespace, count - told, _room(namespace, limit, backlog))
        return sent

    def _fill(self, namespace: str | None, waiting: int, room: int | None) -> int:
        """Have as many messages as jobs wait. Which of them got lost nobody knows: those sent longest ago, most
        likely. Of a namespace with a limit, as many as may begin, and those that are to begin first."""
        wanted = waiting if room is None else min(waiting, room)
        missing = wanted - self._queue.depth(namespace) if wanted > 0 else 0
        if missing <= 0:
            return 0
        most = min(missing, _MOST)
        if room is None:
            chosen = self._messages.oldest(namespace, most, silent_seconds=_SILENT_SECONDS)
        else:
            chosen = self._messages.most_urgent(namespace, most)
        self._queue.remind(chosen)
        return len(chosen)


def _room(namespace: str | None, limit: int | None, backlog: Backlog | None) -> int | None:
    """How many more runs a namespace may have; ``None``: any number."""
    if limit is None or backlog is None:
        return None
    return max(0, limit - backlog.running.get(namespace, 0))
