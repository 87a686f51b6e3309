"""Looking back over 10,000 commits: who set the variables, all values of one, where an expression turns, two runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter

from app.services.bisects import bisect_branch
from app.services.blame import blame_variables
from app.services.diffs import diff_revisions
from app.services.values import read_values
from benchmarks.figures import Bench, Figure
from benchmarks.runs import completed_task
from benchmarks.samples import scratch_place
from benchmarks.workloads import loop, new_variables


def looking_back(bench: Bench) -> Iterator[Figure]:
    """Through the services, each time with nothing of the history in memory but what the database keeps."""
    with scratch_place(bench) as place:
        many = completed_task(place, new_variables(bench.size(10_000)))
        turns = bench.size(5_000)
        looped, other = (completed_task(place, loop(count)) for count in (turns, turns - 5))
        workplace = place.workplace
        asked: dict[str, Callable[[], object]] = {
            "blame of 10,000 variables": lambda: blame_variables(workplace, many, None),
            "all 5,000 values of one": lambda: deque(read_values(workplace, looped, None, "total"), 0),
            "bisect over 5,000 values": lambda: bisect_branch(
                workplace, looped, None, "i >= 0 and total >= 0"
            ),
            "diff of two runs of 10,000 steps": lambda: diff_revisions(
                workplace, looped, "main", f"{other.id}:", ["runs"]
            ),
        }
        for meaning, ask in asked.items():
            yield Figure("look", meaning, [_seconds(ask) for _ in range(bench.runs)], "s")


def _seconds(ask: Callable[[], object]) -> float:
    start = perf_counter()
    ask()
    return perf_counter() - start
