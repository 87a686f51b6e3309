"""A fork of a long run is one new ref: it takes no longer than that of a short one."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from app.db.base import TaskRow
from app.services.branches import fork_branch
from app.services.tasks import MAIN, open_repository
from benchmarks.figures import Bench, Figure
from benchmarks.place import Place
from benchmarks.runs import completed_task
from benchmarks.samples import scratch_place
from benchmarks.workloads import new_variables

FORKS_A_RUN = 5


def forks(bench: Bench) -> Iterator[Figure]:
    """Forks in the middle, by commit id, of a long and a short run in one database, taken in turn."""
    with scratch_place(bench) as place:
        counts = bench.size(10_000), bench.size(100)
        long, short = (completed_task(place, new_variables(count)) for count in counts)
        middles = [_middle(place, task, count) for task, count in zip((long, short), counts, strict=True)]
        seconds: tuple[list[float], list[float]] = [], []
        for number in range(bench.runs * FORKS_A_RUN):
            for task, middle, taken in zip((long, short), middles, seconds, strict=True):
                start = perf_counter()
                fork_branch(place.workplace, task, middle, f"fork-{number}")
                taken.append(perf_counter() - start)
    of_long, of_short = ([1000 * each for each in taken] for taken in seconds)
    ratios = [one / other for one, other in zip(of_long, of_short, strict=True)]
    yield Figure("fork", "of a run of 10,000 steps", of_long, "ms", 5.0)
    yield Figure("fork", "of a run of 100 steps", of_short, "ms")
    yield Figure("fork", "10,000 steps against 100", ratios, "×", 1.3)


def _middle(place: Place, task: TaskRow, count: int) -> str:
    with open_repository(place.workplace, task) as repository:
        return repository.resolve(f"{MAIN}~{count // 2}").id
