"""The queue without a broker: rows in the database, which the worker threads of every server process look at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Final

from app.db.serving import Job, JobTable
from app.queue.base import Line, Look

MAX_BACKLOG: Final = 10_000

ANYWHERE: Final = Look(None)


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

    def open_line(self, namespaces: Callable[[], Collection[str | None]]) -> Line:
        return _Line(self._news)

    def freed(self, namespace: str) -> None:
        self._news.release()

    def trouble(self) -> str | None:
        return None

    def close(self) -> None:
        pass


class _Line:
    """Looks again at once while there is something, and else waits for news."""

    def __init__(self, news: threading.Semaphore) -> None:
        self._news = news
        self._found = True

    def next(self, seconds: float) -> Look | None:
        if not self._found:
            self._news.acquire(timeout=seconds)
        return ANYWHERE

    def settle(self, *, found: bool, again: bool = False) -> None:
        self._found = found

    def close(self) -> None:
        pass
