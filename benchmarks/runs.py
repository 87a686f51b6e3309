"""One task run once, with what it took."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any

from app.db.base import TaskRow
from app.services.runs import RunOptions, run_branch
from app.services.tasks import MAIN
from app.vm.events import Event, StepCommitted
from app.vm.interrupts import Interrupts
from app.vm.scheduler import WIDTH
from app.vm.state import COMPLETED
from benchmarks.place import Place
from benchmarks.watched import Flush, WatchedStores


@dataclass(frozen=True, slots=True)
class RunMeasure:
    """``seconds`` of the whole run, and how many of them of a processor; ``steps`` executed; bytes by which files and
    store grew during the run."""

    seconds: float
    steps: int
    disk_bytes: int
    store_bytes: int
    processor_seconds: float

    @property
    def step_seconds(self) -> float:
        return self.seconds / self.steps


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each step was committed, and each flush of the journal; seconds of one clock."""

    begin: float
    commits: Sequence[float]
    flushes: Sequence[Flush]
    end: float


def measure_run(place: Place, steps: Sequence[dict[str, Any]], *, parallel: int = WIDTH) -> RunMeasure:
    """Submit (untimed: the checker has a figure of its own), then run as ``stackvm execute`` does, unwatched."""
    task = place.submit(steps)
    disk, store = place.disk_bytes(), place.store_bytes(task)
    gc.collect()
    start, worked = perf_counter(), process_time()
    report = run_branch(place.workplace, task, MAIN, RunOptions(Interrupts(), parallel=parallel))
    seconds, worked = perf_counter() - start, process_time() - worked
    _require_completed(report.status)
    disk, store = place.disk_bytes() - disk, place.store_bytes(task) - store
    return RunMeasure(seconds, report.steps, disk, store, worked)


def watch_run(place: Place, steps: Sequence[dict[str, Any]]) -> Timeline:
    """As :func:`measure_run`, noting every commit and every flush."""
    task = place.submit(steps)
    commits: list[float] = []
    stores = WatchedStores(place.workplace.stores[task.store])
    workplace = replace(place.workplace, stores={task.store: stores})

    def note(event: Event) -> None:
        if isinstance(event, StepCommitted):
            commits.append(perf_counter())

    gc.collect()
    begin = perf_counter()
    report = run_branch(workplace, task, MAIN, RunOptions(Interrupts(), note))
    end = perf_counter()
    _require_completed(report.status)
    return Timeline(begin, commits, stores.flushes, end)


def completed_task(place: Place, steps: Sequence[dict[str, Any]]) -> TaskRow:
    """A task that was run to its end, untimed."""
    task = place.submit(steps)
    _require_completed(run_branch(place.workplace, task, MAIN, RunOptions(Interrupts())).status)
    return task


def _require_completed(status: str) -> None:
    if status != COMPLETED:
        raise RuntimeError(f"the run ended as {status!r}: what was measured means nothing")
