"""Calls that wait, side by side: how long a run takes against the best order of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.vm.scheduler import WIDTH
from benchmarks.figures import Bench, Figure
from benchmarks.graphs import Graph, best_seconds, fan_of, independent, layered, plan_of
from benchmarks.runs import measure_run
from benchmarks.samples import scratch_place
from benchmarks.tools import pause_tool
from benchmarks.workloads import Steps

GOAL: Final = 1.1
READS: Final = 512
READ_SECONDS: Final = 0.05
GRAPH_STEPS: Final = 200


def parallel(bench: Bench) -> Iterator[Figure]:
    """Independent reads as steps and as one ``for_each``, and random graphs of reads; eight at once."""
    reads = independent(bench.size(READS), READ_SECONDS)
    pause = pause_tool().name
    yield _figure(bench, "512 steps of 50 ms", [reads] * bench.runs, [plan_of(reads, pause)] * bench.runs)
    yield _figure(bench, "a for_each of 512 × 50 ms", [reads] * bench.runs, [fan_of(reads, pause)] * bench.runs)
    graphs = [layered(bench.size(GRAPH_STEPS), seed) for seed in range(bench.runs)]
    plans = [plan_of(graph, pause) for graph in graphs]
    yield _figure(bench, "layered graphs of 200 steps", graphs, plans)


def _figure(bench: Bench, meaning: str, graphs: list[Graph], plans: list[Steps]) -> Figure:
    ratios = []
    for graph, plan in zip(graphs, plans, strict=True):
        with scratch_place(bench, tools=[pause_tool()]) as place:
            ratios.append(measure_run(place, plan).seconds / best_seconds(graph, WIDTH))
    return Figure("parallel, width 8", f"{meaning}, against the best list schedule", ratios, "×", GOAL)
