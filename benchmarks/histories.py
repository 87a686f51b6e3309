"""Time and size a step: workloads A, B, C and the loop, against raw commits measured between the runs."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean
from typing import Final

from app.history.canonical import canonical
from app.services.tasks import MAIN, open_repository
from benchmarks.figures import Bench, Figure
from benchmarks.growth import step_costs
from benchmarks.place import Place
from benchmarks.runs import completed_task, measure_run, watch_run
from benchmarks.samples import Samples, scratch_place
from benchmarks.tools import large_tool, note_tool
from benchmarks.workloads import Steps, after_large_value, growing_list, loop, new_variables, tool_calls

STEP_RATIO: Final = 0.5
STEP_BYTES: Final = 1_500
GROWTH: Final = 1.3
LARGE_BYTES: Final = 1_000_000


def sqlite_runs(bench: Bench, steps: int) -> Iterator[Figure]:
    """Workload A, as it is by default."""
    name = f"A {steps:,}"
    plan = new_variables(bench.size(steps))
    samples = Samples(bench, plan)
    watched = samples.watch()
    yield Figure(name, "time a step", samples.ratios, "×", STEP_RATIO)
    yield Figure(name, "the same in microseconds", samples.microseconds, "µs")
    yield Figure(name, "the steps alone, without start and end", [each.ratio for each in watched], "×")
    yield Figure(
        name, "last tenth of the steps against the first", [each.growth for each in watched], "×", GROWTH
    )
    yield Figure(name, "stored a step, by the file's size", samples.disk_bytes, "bytes", STEP_BYTES)
    yield Figure(name, "stored a step, by the store's own count", samples.store_bytes, "bytes")


def durable_steps(bench: Bench) -> Iterator[Figure]:
    """Workload A with every step flushed."""
    runs = Samples(bench, new_variables(bench.size(1_000)), durability="step")
    yield Figure("A DURABILITY=step", "time a step", runs.ratios, "×", 1.6)
    yield Figure("A DURABILITY=step", "stored a step, by the file's size", runs.disk_bytes, "bytes")


def git_store(bench: Bench) -> Iterator[Figure]:
    """Workload A in a git repository on disk."""
    runs = Samples(bench, new_variables(bench.size(1_000)), history="git")
    yield Figure("A git store", "time a step", runs.ratios, "×", 2.0)
    yield Figure("A git store", "stored a step, by the files' sizes", runs.disk_bytes, "bytes")


def write_tool(bench: Bench) -> Iterator[Figure]:
    """Workload A with a call a step that must be durable before it and after it."""
    note = note_tool()
    runs = Samples(bench, tool_calls(bench.size(500), note.name), tools=[note])
    yield Figure("A write tool", "time a step", runs.ratios, "×", 4.0)
    yield Figure("A write tool", "stored a step, by the file's size", runs.disk_bytes, "bytes")


def three_variables(bench: Bench) -> Iterator[Figure]:
    """A long loop over three variables."""
    runs = Samples(bench, loop(bench.size(5_000)))
    yield Figure("loop 5,000", "time a step", runs.ratios, "×", STEP_RATIO)
    yield Figure(
        "loop 5,000",
        "last tenth of the steps against the first",
        [each.growth for each in runs.watch()],
        "×",
        GROWTH,
    )
    yield Figure("loop 5,000", "stored a step, by the file's size", runs.disk_bytes, "bytes", STEP_BYTES)


def large_value(bench: Bench) -> Iterator[Figure]:
    """Workload B: small steps behind a large value cost what they cost without it."""
    count = bench.size(200)
    large = large_tool(round(LARGE_BYTES * min(1.0, 10 * bench.scale)))
    ratios, beyond = [], []
    for _ in range(bench.runs):
        with scratch_place(bench, tools=[large]) as place:
            alone = _later_step_seconds(place, new_variables(count))
            ratios.append(_later_step_seconds(place, after_large_value(count, large.name)) / alone)
        with scratch_place(bench, tools=[large]) as place:
            base = measure_run(place, after_large_value(0, large.name)).disk_bytes
        with scratch_place(bench, tools=[large]) as place:
            whole = measure_run(place, after_large_value(count, large.name)).disk_bytes
            beyond.append((whole - base) / count)
    yield Figure("B 1 MB, 200 steps", "time a step against A's of the same length", ratios, "×", GROWTH)
    yield Figure("B 1 MB, 200 steps", "stored a step beyond the megabyte", beyond, "bytes", 3_000)


def long_list(bench: Bench) -> Iterator[Figure]:
    """Workload C: what a history stores, against its last state."""
    plan = growing_list(bench.size(500))
    runs = Samples(bench, plan)
    with scratch_place(bench) as place:
        final = _state_bytes(place, plan)
    sizes = [measure.disk_bytes / final for measure in runs.measures]
    yield Figure("C 500 steps", "stored without the plan, against the final state", sizes, "×", 3.0)
    yield Figure("C 500 steps", "time a step", runs.ratios, "×")


def _later_step_seconds(place: Place, plan: Steps) -> float:
    """Seconds a step behind the first."""
    return mean(step_costs(watch_run(place, plan)))


def _state_bytes(place: Place, plan: Steps) -> int:
    """Bytes of all variables at the end, as canonical JSON."""
    task = completed_task(place, plan)
    with open_repository(place.workplace, task) as repository:
        tree = repository.commit(repository.head(MAIN)).tree
        variables = repository.reader.snapshot(tree).variables
    return sum(len(canonical(value)) for value in variables.values())
