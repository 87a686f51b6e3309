"""The queue without a broker: rows in the database, which the worker threads of every server process look at."""

from __future__ import annotations

import threading
from typing import Final

from app.db.serving import Job, JobTable

MAX_BACKLOG: Final = 10_000


class EmbeddedQueue:
    """A :class:`app.queue.base.RunQueue`. What this process puts is seen at once, what others put at the next look.

    ``most``: how many runs may wait or be under way.
    """

    def __init__(self, jobs: JobTable, *, most: int = MAX_BACKLOG) -> None:
        self._jobs = jobs
        self.most = most
        self._news = threading.Semaphore(0)

    def keep(self, job: Job) -> None:
        self._jobs.put(job, most=self.most)

    def tell(self, job: Job) -> None:
        self._news.release()

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        self._jobs.withdraw(task_id, branch)

    def wait(self, seconds: float) -> None:
        self._news.acquire(timeout=seconds)
