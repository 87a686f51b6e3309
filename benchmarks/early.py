"""Calls that start before their turn: what that saves where they can, and that it costs nothing where they can't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.plan.parse import plan_from_json
from app.vm.scheduler import WIDTH
from app.vm.stretches import Role, Stretches
from benchmarks.figures import Bench, Figure
from benchmarks.graphs import Graph, best_seconds, fan_of, independent, layered, plan_of, schedule_seconds
from benchmarks.runs import RunMeasure, measure_run
from benchmarks.samples import scratch_place
from benchmarks.tools import echo_tool, pause_tool
from benchmarks.workloads import Steps, chained_calls

GOAL: Final = 1.1
READS: Final = 512
READ_SECONDS: Final = 0.05
GRAPH_STEPS: Final = 200
PAPER_GRAPHS: Final = 60
CHAIN_STEPS: Final = 500


def parallel(bench: Bench) -> Iterator[Figure]:
    """Independent reads as steps and as one ``for_each``, and random graphs of reads; eight at once."""
    name, pause = "parallel, width 8", pause_tool().name
    reads = [independent(bench.size(READS), READ_SECONDS)] * bench.runs
    graphs = [layered(bench.size(GRAPH_STEPS), seed) for seed in range(bench.runs)]
    steps, fans = [plan_of(graph, pause) for graph in reads], [fan_of(graph, pause) for graph in reads]
    yield Figure(
        name, "512 steps of 50 ms, against the best schedule", _ratios(bench, reads, steps), "×", GOAL
    )
    yield Figure(name, "a for_each of 512 × 50 ms", _ratios(bench, reads, fans), "×", GOAL)
    plans = [plan_of(graph, pause) for graph in graphs]
    yield Figure(name, "layered graphs of 200 steps", _ratios(bench, graphs, plans), "×", GOAL)
    yield from _on_paper(name, [layered(bench.size(GRAPH_STEPS), seed) for seed in range(PAPER_GRAPHS)])


def _ratios(bench: Bench, graphs: Sequence[Graph], plans: Sequence[Steps]) -> list[float]:
    ratios = []
    for graph, plan in zip(graphs, plans, strict=True):
        with scratch_place(bench, tools=[pause_tool()]) as place:
            ratios.append(measure_run(place, plan).seconds / best_seconds(graph, WIDTH))
    return ratios


def _on_paper(name: str, graphs: Sequence[Graph]) -> Iterator[Figure]:
    """What the order of calls alone makes of the graphs, were there no machine."""
    ours, by_plan = [], []
    for graph in graphs:
        stretch = Stretches(plan_from_json(plan_of(graph, "pause")), lambda call: Role.LOOKS).at(0)
        best = best_seconds(graph, WIDTH)
        ours.append(schedule_seconds(graph, WIDTH, stretch.rank.__getitem__) / best)
        by_plan.append(schedule_seconds(graph, WIDTH, lambda task: task) / best)
    yield Figure(name, f"{len(graphs)} graphs on paper, in the machine's order", ours, "×")
    yield Figure(name, f"{len(graphs)} graphs on paper, in the plan's order", by_plan, "×")


def sequential(bench: Bench) -> Iterator[Figure]:
    """Reads of which none can start early cost what they cost where none may. In pairs, which comes first in turn."""
    name, plan = "reads in a row", chained_calls(bench.size(CHAIN_STEPS), echo_tool().name)
    taken: dict[int, list[RunMeasure]] = {WIDTH: [], 1: []}
    for pair in range(2 * bench.runs):
        for width in (WIDTH, 1) if pair % 2 else (1, WIDTH):
            with scratch_place(bench, tools=[echo_tool()]) as place:
                taken[width].append(measure_run(place, plan, parallel=width))
    pairs = list(zip(taken[WIDTH], taken[1], strict=True))
    worked = [one.processor_seconds / other.processor_seconds for one, other in pairs]
    yield Figure(name, "processor time a step, against --parallel 1", worked, "×", GOAL)
    yield Figure(
        name, "time a step, against --parallel 1", [one.seconds / other.seconds for one, other in pairs], "×"
    )
    yield Figure(name, "time a step", [1e6 * one.step_seconds for one, _ in pairs], "µs")
