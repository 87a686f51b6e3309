"""The seam of queues."""

from __future__ import annotations

from typing import Protocol

from app.db.serving import Job


class RunQueue(Protocol):
    """Gets runs to workers. Every queue passes ``tests/queue/queue_contract.py``."""

    def keep(self, job: Job) -> None:
        """Write down that a worker is to run it: it is found from then on, even if nobody is told. May be part of a
        larger transaction.

        Nothing happens where the same run waits or is under way already. Raises ``Busy`` where the backlog is full,
        ``StorageError``.
        """

    def tell(self, job: Job) -> None:
        """Have workers look now. To be called once the job is durable; what is told twice runs once."""

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        """Have no worker begin it any more. One that runs is stopped by its lease, not from here."""

    def wait(self, seconds: float) -> None:
        """For a worker: until there may be something to take, at most so long."""
