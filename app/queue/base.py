"""The seam of queues."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from app.db.serving import Job

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Look(NamedTuple):
    """Where a worker is to look: at a task, or (``None``) at whatever waits. ``headers`` came with the message."""

    task_id: str | None
    headers: Mapping[str, str] = NO_HEADERS


class Line(Protocol):
    """One worker thread's way to its jobs, used by that thread alone.

    What it was told, it settles before it asks again, whatever came of it.
    """

    def next(self, seconds: float) -> Look | None:
        """Where to look next; ``None`` where nothing is known after so many seconds. Raises nothing."""

    def settle(self, *, found: bool, again: bool = False) -> None:
        """It has been looked: ``found`` a job or not. ``again``: the job is given back, and others are to be told."""

    def close(self) -> None:
        """Ask no more."""


class RunQueue(Protocol):
    """Gets runs to workers. Every queue passes ``tests/queue/queue_contract.py``."""

    def keep(self, job: Job) -> None:
        """Write down that a worker is to run it: it is found from then on, even if nobody is told. May be part of a
        larger transaction.

        Nothing happens where the same run waits or is under way already. Raises ``Busy`` where the backlog is full,
        ``StorageError``; never because of a broker.
        """

    def tell(self, job: Job) -> None:
        """Have workers look now. To be called once the job is durable; what is told twice runs once."""

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        """Have no worker begin it any more. One that runs is stopped by its lease, not from here."""

    def open_line(self, namespaces: Callable[[], Collection[str | None]]) -> Line:
        """For a worker thread. ``namespaces`` gives those that it is to look after by now."""

    def freed(self, namespace: str) -> None:
        """A run of a namespace that may have only so many is over: the next may begin."""

    def trouble(self) -> str | None:
        """What is wrong with the broker, in a line for people, without a password; ``None`` where all is well."""

    def close(self) -> None:
        """Send what was put, and let go of everything."""
