"""A plan run several times, each time on an empty place, with raw commits measured before and after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any, Final, NamedTuple

from benchmarks.disk import scratch_folder
from benchmarks.figures import Bench
from benchmarks.growth import growth, step_costs
from benchmarks.place import Place, new_place
from benchmarks.raw import raw_commit_seconds
from benchmarks.runs import RunMeasure, measure_run, watch_run
from benchmarks.workloads import Steps

RawCommits = Callable[[Path, int], float]
"""Seconds one raw commit takes, in a folder, over so many of them."""

RAW_COMMITS: Final = 1_000
"""How many make the unit, whatever the workload's length."""


class Watched(NamedTuple):
    """``ratio``: time a step without what comes before the first and behind the last; ``growth``: see there."""

    ratio: float
    growth: float


class Samples:
    """``measures`` of the runs, and their ``ratios``: time a step as a multiple of a raw commit."""

    def __init__(
        self,
        bench: Bench,
        plan: Steps,
        *,
        raw: RawCommits = raw_commit_seconds,
        **place: Any,
    ) -> None:
        self._bench = bench
        self._plan = plan
        self._place = place
        self._raw = raw
        self.measures: list[RunMeasure] = []
        self.ratios: list[float] = []
        before = self._unit()
        for _ in range(bench.runs):
            with scratch_place(bench, **place) as here:
                measure = measure_run(here, plan)
            after = self._unit()
            self.measures.append(measure)
            self.ratios.append(measure.step_seconds / ((before + after) / 2))
            before = after

    @property
    def microseconds(self) -> list[float]:
        return [1e6 * measure.step_seconds for measure in self.measures]

    @property
    def disk_bytes(self) -> list[float]:
        return [measure.disk_bytes / measure.steps for measure in self.measures]

    @property
    def store_bytes(self) -> list[float]:
        return [measure.store_bytes / measure.steps for measure in self.measures]

    def watch(self) -> list[Watched]:
        """The plan run as often again, this time watched step by step."""
        found = []
        for _ in range(self._bench.runs):
            unit = self._unit()
            with scratch_place(self._bench, **self._place) as here:
                timeline = watch_run(here, self._plan)
            found.append(Watched(mean(step_costs(timeline)) / unit, growth(timeline)))
        return found

    def _unit(self) -> float:
        with scratch_folder(self._bench.folder) as folder:
            return self._raw(folder, self._bench.size(RAW_COMMITS))


@contextmanager
def scratch_place(bench: Bench, **settings: Any) -> Iterator[Place]:
    """An empty place that is gone afterwards."""
    with scratch_folder(bench.folder) as folder, new_place(folder, **settings) as place:
        yield place
