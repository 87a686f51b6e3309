"""One task run once, with what it took."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from app.db.base import TaskRow
from app.history.journal import Journal
from app.history.repository import HEADS
from app.plan.parse import plan_from_json
from app.services.runs import RunOptions, make_caller, open_scribe, run_branch
from app.services.tasks import MAIN, open_repository
from app.vm.events import Event, StepCommitted
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.machine import Machine
from app.vm.performer import Performer
from app.vm.state import COMPLETED
from benchmarks.place import Place
from benchmarks.watched import Flush, WatchedStores


@dataclass(frozen=True, slots=True)
class RunMeasure:
    """``seconds`` of the whole run, ``steps`` executed, bytes by which files and store grew during the run."""

    seconds: float
    steps: int
    disk_bytes: int
    store_bytes: int

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


def measure_run(place: Place, steps: Sequence[dict[str, Any]]) -> RunMeasure:
    """Submit (untimed: the checker has a figure of its own), then run as ``stackvm execute`` does, unwatched."""
    task = place.submit(steps)
    disk, store = place.disk_bytes(), place.store_bytes(task)
    gc.collect()
    start = perf_counter()
    report = run_branch(place.workplace, task, MAIN, RunOptions(Interrupts()))
    seconds = perf_counter() - start
    _require_completed(report.status)
    return RunMeasure(seconds, report.steps, place.disk_bytes() - disk, place.store_bytes(task) - store)


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


def machine_step_seconds(place: Place, steps: Sequence[dict[str, Any]]) -> float:
    """Seconds a step of the machine's loop alone: no lease, no status, no reading of the plan."""
    task = place.submit(steps)
    with open_repository(place.workplace, task) as repository:
        journal = Journal(repository.store, HEADS + MAIN, repository.head(MAIN))
        scribe = open_scribe(repository, task.id, journal)
        with Performer() as performer:
            machine = Machine(
                scribe=scribe,
                interpreter=Interpreter(plan_from_json(scribe.plan)),
                tools=place.workplace.catalog(None),
                caller=make_caller(place.workplace, task, MAIN, repository, scribe, performer),
                interrupts=Interrupts(),
            )
            gc.collect()
            start = perf_counter()
            result = machine.run()
            seconds = perf_counter() - start
        _require_completed(result.status)
        return seconds / scribe.state.steps


def completed_task(place: Place, steps: Sequence[dict[str, Any]]) -> TaskRow:
    """A task that was run to its end, untimed."""
    task = place.submit(steps)
    _require_completed(run_branch(place.workplace, task, MAIN, RunOptions(Interrupts())).status)
    return task


def _require_completed(status: str) -> None:
    if status != COMPLETED:
        raise RuntimeError(f"the run ended as {status!r}: what was measured means nothing")
