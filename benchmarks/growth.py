"""Whether later steps cost more than earlier ones.

Commits are flushed together every 50 ms, so that a tenth of a short run may hold a flush or none. Therefore a
flush's time is taken out of the step it happened in and spread evenly over the steps that it made durable.
"""

from __future__ import annotations

from bisect import bisect_left

from benchmarks.runs import Timeline


def step_costs(timeline: Timeline) -> list[float]:
    """Seconds of each step, its share of a flush included."""
    commits = timeline.commits
    # What happens before the first commit is the start of the run, not a step.
    costs = [after - before for before, after in zip([*commits[:1], *commits], commits, strict=False)]
    first_unflushed = 0
    for flush in timeline.flushes:
        last = bisect_left(commits, flush.end)
        if last < len(costs):
            costs[last] -= flush.end - flush.begin
        covered = range(first_unflushed, min(last + 1, len(costs)))
        for step in covered:
            costs[step] += (flush.end - flush.begin) / len(covered)
        first_unflushed = covered.stop if covered else first_unflushed
    return costs[1:]


def growth(timeline: Timeline) -> float:
    """The cost of the last tenth of the steps, as a multiple of the first tenth's."""
    costs = step_costs(timeline)
    tenth = max(1, len(costs) // 10)
    return sum(costs[-tenth:]) / sum(costs[:tenth])
