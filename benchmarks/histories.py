"""Time and size a step: workloads A, B, C and the loop, against raw commits measured between the runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from app.history.canonical import canonical
from app.history.repository import HEADS
from app.services.tasks import MAIN, open_repository
from app.tools.base import Tool
from app.tools.decorator import tool
from benchmarks.disk import scratch_folder
from benchmarks.figures import Bench, Figure
from benchmarks.growth import growth
from benchmarks.place import Place, new_place
from benchmarks.raw import raw_commit_seconds
from benchmarks.runs import (
    RunMeasure,
    completed_task,
    machine_step_seconds,
    measure_run,
    watch_run,
)
from benchmarks.workloads import Steps, after_large_value, growing_list, loop, new_variables, texts, tool_calls

RawCommits = Callable[[Path, int], float]
"""Seconds one raw commit takes, in a folder, over as many as there are steps."""

STEP_RATIO: Final = 0.5
STEP_BYTES: Final = 1_500
GROWTH: Final = 1.3
LARGE_BYTES: Final = 1_000_000


def sqlite_runs(bench: Bench, steps: int) -> Iterator[Figure]:
    """Workload A, as it is by default."""
    name = f"A {steps:,}"
    plan = new_variables(bench.size(steps))
    measures = _Runs(bench, plan)
    yield Figure(name, "time a step", measures.ratios, "×", STEP_RATIO)
    yield Figure(name, "time a step, the machine alone", measures.machine_ratios(), "×")
    yield Figure(name, "last tenth of the steps against the first", measures.growths(), "×", GROWTH)
    yield Figure(name, "stored a step, by the file's size", measures.disk_bytes, "bytes", STEP_BYTES)
    yield Figure(name, "stored a step, by the store's own count", measures.store_bytes, "bytes")


def durable_steps(bench: Bench) -> Iterator[Figure]:
    """Workload A with every step flushed."""
    runs = _Runs(bench, new_variables(bench.size(1_000)), durability="step")
    yield Figure("A DURABILITY=step", "time a step", runs.ratios, "×", 1.6)
    yield Figure("A DURABILITY=step", "stored a step, by the file's size", runs.disk_bytes, "bytes")


def git_store(bench: Bench) -> Iterator[Figure]:
    """Workload A in a git repository on disk."""
    runs = _Runs(bench, new_variables(bench.size(1_000)), history="git")
    yield Figure("A git store", "time a step", runs.ratios, "×", 2.0)
    yield Figure("A git store", "stored a step, by the files' sizes", runs.disk_bytes, "bytes")


def write_tool(bench: Bench) -> Iterator[Figure]:
    """Workload A with a call a step that must be durable before it and after it."""
    note = note_tool()
    runs = _Runs(bench, tool_calls(bench.size(500), note.name), tools=[note])
    yield Figure("A write tool", "time a step", runs.ratios, "×", 4.0)
    yield Figure("A write tool", "stored a step, by the file's size", runs.disk_bytes, "bytes")


def three_variables(bench: Bench) -> Iterator[Figure]:
    """A long loop over three variables."""
    runs = _Runs(bench, loop(bench.size(5_000)), executed=2 * bench.size(5_000) + 2)
    yield Figure("loop 5,000", "time a step", runs.ratios, "×", STEP_RATIO)
    yield Figure("loop 5,000", "last tenth of the steps against the first", runs.growths(), "×", GROWTH)
    yield Figure("loop 5,000", "stored a step, by the file's size", runs.disk_bytes, "bytes", STEP_BYTES)


def large_value(bench: Bench) -> Iterator[Figure]:
    """Workload B: small steps behind a large value cost what they cost without it."""
    count = bench.size(200)
    large = large_tool(round(LARGE_BYTES * min(1.0, 10 * bench.scale)))
    ratios, beyond = [], []
    for _ in range(bench.runs):
        with _place(bench, tools=[large]) as place:
            alone = _seconds_behind_first(place, new_variables(count))
            ratios.append(_seconds_behind_first(place, after_large_value(count, large.name)) / alone)
        with _place(bench, tools=[large]) as place:
            base = measure_run(place, after_large_value(0, large.name)).disk_bytes
        with _place(bench, tools=[large]) as place:
            whole = measure_run(place, after_large_value(count, large.name)).disk_bytes
            beyond.append((whole - base) / count)
    yield Figure("B 1 MB, 200 steps", "time a step against A's of the same length", ratios, "×", GROWTH)
    yield Figure("B 1 MB, 200 steps", "stored a step beyond the megabyte", beyond, "bytes", 3_000)


def long_list(bench: Bench) -> Iterator[Figure]:
    """Workload C: what a history stores, against its last state."""
    plan = growing_list(bench.size(500))
    runs = _Runs(bench, plan)
    with _place(bench) as place:
        final = _state_bytes(place, plan)
    sizes = [measure.disk_bytes / final for measure in runs.measures]
    yield Figure("C 500 steps", "stored without the plan, against the final state", sizes, "×", 3.0)
    yield Figure("C 500 steps", "time a step", runs.ratios, "×")


class _Runs:
    """A plan run several times, each time on an empty place, between runs of raw commits."""

    def __init__(
        self,
        bench: Bench,
        plan: Steps,
        *,
        raw: RawCommits = raw_commit_seconds,
        executed: int | None = None,
        **place: Any,
    ) -> None:
        self._bench = bench
        self._plan = plan
        self._place = place
        self._raw = raw
        self._steps = executed or len(plan)
        self.measures: list[RunMeasure] = []
        self.ratios: list[float] = []
        before = self._unit()
        for _ in range(bench.runs):
            with _place(bench, **place) as here:
                measure = measure_run(here, plan)
            after = self._unit()
            self.measures.append(measure)
            self.ratios.append(measure.step_seconds / ((before + after) / 2))
            before = after

    @property
    def disk_bytes(self) -> list[float]:
        return [measure.disk_bytes / measure.steps for measure in self.measures]

    @property
    def store_bytes(self) -> list[float]:
        return [measure.store_bytes / measure.steps for measure in self.measures]

    def machine_ratios(self) -> list[float]:
        """As ``ratios``, of the machine's loop alone."""
        ratios = []
        for _ in range(self._bench.runs):
            with _place(self._bench, **self._place) as here:
                unit = self._unit()
                ratios.append(machine_step_seconds(here, self._plan) / unit)
        return ratios

    def growths(self) -> list[float]:
        """Of runs that are watched."""
        found = []
        for _ in range(self._bench.runs):
            with _place(self._bench, **self._place) as here:
                found.append(growth(watch_run(here, self._plan)))
        return found

    def _unit(self) -> float:
        with scratch_folder(self._bench.folder) as folder:
            return self._raw(folder, self._steps)
