"""Writes down what is under way in this process's runs, so that every server process can show it.

One thread, a few times a second, all runs in one transaction, and only what has been under way for a while and
changed. Nothing depends on it.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from time import monotonic
from typing import Final

import orjson

from app.db.feed import STALE_MS, FeedTable, LiveRow
from app.errors import StorageError
from app.log_fields import tell
from app.vm.events import Listener
from app.worker.under_way import Mask, UnderWay

WRITE_SECONDS: Final = 0.25
_AGAIN_SECONDS: Final = STALE_MS / 3000
"""After so long it is written again, unchanged: what is older counts as left behind by a worker that died."""

logger = logging.getLogger(__name__)


class _Run:
    """A run and what is written down of it."""

    def __init__(self, under_way: UnderWay) -> None:
        self.under_way = under_way
        self.branch = under_way.branch
        self.written: str | None = None
        self.written_at = 0.0
        self.is_over = False


class LiveWatcher:
    """A :class:`app.worker.threads.Watcher`. Its thread starts with the first run."""

    def __init__(self, table: FeedTable, mask: Mask) -> None:
        self._table = table
        self._mask = mask
        self._runs: dict[tuple[str, str], _Run] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, task_id: str, branch: str) -> Listener:
        """The listener of a run that begins."""
        run = _Run(UnderWay(task_id, branch, self._mask))
        with self._lock:
            self._runs[task_id, branch] = run
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, daemon=True, name="live")
                self._thread.start()
        return run.under_way.hear

    def close(self, task_id: str, branch: str) -> None:
        """It is over, here. ``branch`` is where it began."""
        with self._lock:
            run = self._runs.get((task_id, branch))
            if run is not None:
                run.is_over = True

    def stop(self) -> None:
        """Write no more; to be called when all runs are over."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def _write_on(self) -> None:
        with suppress(StorageError):  # the next process may do it
            self._table.clear_live()
        while not self._stopping.wait(WRITE_SECONDS):
            self._write_safely()
        self._write_safely()

    def _write_safely(self) -> None:
        try:
            self._write()
        except StorageError as error:
            tell(logger, logging.INFO, "live.unwritten", f"what is under way can't be written down: {error}")
        except Exception:
            logger.exception(
                "what is under way was not written down by a fault of ours", extra={"event": "live.fault"}
            )

    def _write(self) -> None:
        with self._lock:
            runs = list(self._runs.items())
        rows: list[LiveRow] = []
        gone: list[tuple[str, str]] = []
        noted: list[tuple[_Run, str, str | None]] = []
        for _, run in runs:
            branch, data = run.under_way.branch, self._data(run)
            if run.written is not None and (data is None or branch != run.branch):
                gone.append((run.under_way.task_id, run.branch))
            elif data == run.written and monotonic() < run.written_at + _AGAIN_SECONDS:
                continue
            if data is not None:
                rows.append(LiveRow(run.under_way.task_id, branch, data))
            noted.append((run, branch, data))
        if rows or gone:
            self._table.put_live(rows, gone)
        for run, branch, data in noted:
            run.branch, run.written, run.written_at = branch, data, monotonic()
        with self._lock:
            for key, run in runs:
                if run.is_over and run.written is None and self._runs.get(key) is run:
                    del self._runs[key]

    @staticmethod
    def _data(run: _Run) -> str | None:
        document = {} if run.is_over else run.under_way.to_json()
        return orjson.dumps(document).decode() if document else None
