"""Calls that start before their turn: what that saves where they can, and that it costs nothing where they can't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.vm.scheduler import WIDTH
from benchmarks.figures import Bench, Figure
from benchmarks.graphs import Graph, best_seconds, fan_of, independent, layered, plan_of
from benchmarks.runs import measure_run
from benchmarks.samples import scratch_place
from benchmarks.tools import echo_tool, pause_tool
from benchmarks.workloads import Steps, chained_calls

GOAL: Final = 1.1
READS: Final = 512
READ_SECONDS: Final = 0.05
GRAPH_STEPS: Final = 200
CHAIN_STEPS: Final = 500


def parallel(bench: Bench) -> Iterator[Figure]:
    """Independent reads as steps and as one ``for_each``, and random graphs of reads; eight at once."""
    reads = independent(bench.size(READS), READ_SECONDS)
    pause = pause_tool().name
    yield _figure(bench, "512 steps of 50 ms", [reads] * bench.runs, [plan_of(reads, pause)] * bench.runs)
    yield _figure(
        bench, "a for_each of 512 × 50 ms", [reads] * bench.runs, [fan_of(reads, pause)] * bench.runs
    )
    graphs = [layered(bench.size(GRAPH_STEPS), seed) for seed in range(bench.runs)]
    plans = [plan_of(graph, pause) for graph in graphs]
    yield _figure(bench, "layered graphs of 200 steps", graphs, plans)


def sequential(bench: Bench) -> Iterator[Figure]:
    """Reads of which none can start early cost what they cost where none may. In pairs, which comes first in turn."""
    plan = chained_calls(bench.size(CHAIN_STEPS), echo_tool().name)
    ratios, microseconds = [], []
    for pair in range(2 * bench.runs):
        widths = (WIDTH, 1) if pair % 2 else (1, WIDTH)
        taken = {width: _chain_seconds(bench, plan, width) for width in widths}
        ratios.append(taken[WIDTH] / taken[1])
        microseconds.append(1e6 * taken[WIDTH])
    yield Figure("reads in a row", "time a step, against --parallel 1", ratios, "×", GOAL)
    yield Figure("reads in a row", "time a step", microseconds, "µs")


def _chain_seconds(bench: Bench, plan: Steps, width: int) -> float:
    with scratch_place(bench, tools=[echo_tool()]) as place:
        return measure_run(place, plan, parallel=width).step_seconds


def _figure(bench: Bench, meaning: str, graphs: list[Graph], plans: list[Steps]) -> Figure:
    ratios = []
    for graph, plan in zip(graphs, plans, strict=True):
        with scratch_place(bench, tools=[pause_tool()]) as place:
            ratios.append(measure_run(place, plan).seconds / best_seconds(graph, WIDTH))
    return Figure("parallel, width 8", f"{meaning}, against the best list schedule", ratios, "×", GOAL)
