"""The checker: how long it takes, and that it takes ten times as long for ten times as many steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import perf_counter

from app.plan.check import check_plan, has_errors
from app.plan.parse import parse_plan
from app.tools.registry import Catalog
from benchmarks.figures import Bench, Figure
from benchmarks.samples import scratch_place
from benchmarks.workloads import Steps, mixed, new_variables

GROWTH = 1.3


def checks(bench: Bench) -> Iterator[Figure]:
    """A plan of all kinds of steps, each time with other names: nothing was compiled before."""
    short, long = bench.size(1_000), bench.size(10_000)
    times, small, growths, parsing = [], [], [], []
    with scratch_place(bench) as place:
        tools = place.workplace.catalog(None)
        for run in range(bench.runs):
            read_ms, check_ms = _check(mixed(short, f"s{run}_"), tools)
            _, long_ms = _check(mixed(long, f"l{run}_"), tools)
            parsing.append(read_ms)
            times.append(check_ms)
            growths.append(long_ms / check_ms / (long / short))
            small.append(_check(new_variables(short), tools)[1])
    yield Figure("checker", "1,000 steps of all kinds", times, "ms", 15.0)
    yield Figure("checker", "the 1,000 steps of workload A", small, "ms", 15.0)
    yield Figure("checker", "a step of 10,000 against a step of 1,000", growths, "×", GROWTH)
    yield Figure("checker", "reading the JSON of 1,000 steps before it", parsing, "ms")


def _check(steps: Steps, tools: Catalog) -> tuple[float, float]:
    """Milliseconds of reading the plan, and of checking it."""
    text = json.dumps(steps)
    start = perf_counter()
    plan = parse_plan(text)
    read = perf_counter()
    findings = check_plan(plan, tools)
    checked = perf_counter()
    if has_errors(findings):
        raise RuntimeError(f"the plan was to be right: {findings[0]}")
    return 1000 * (read - start), 1000 * (checked - read)
