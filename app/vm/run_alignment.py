"""Two runs side by side: which executed step of one stands for which of the other, and how they differ."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from app.plan.alignment import Pair, align, align_more
from app.vm.traces import Trace

RowChange: TypeAlias = Literal["same", "inputs", "output", "step", "removed", "added"]
"""``inputs``: the same step was given something else. ``output``: given the same, it gave something else. ``step``:
another step stands in its place. ``removed``, ``added``: only the left, only the right run has it."""


class Row(NamedTuple):
    """A pair of executed steps; ``None`` where a run has none."""

    left: Trace | None
    right: Trace | None
    change: RowChange


def align_runs(
    left: Sequence[Trace], right: Sequence[Trace], cut_short: Callable[[Trace, Trace], bool]
) -> list[Row]:
    """The rows in the order of execution. Numbers of steps don't count, only what the steps do.

    ``cut_short`` says of two steps whose inputs differ whether they differ because an error ended one of them early.
    """
    pairs = align([_whole(trace) for trace in left], [_whole(trace) for trace in right])
    for key in _KEYS:
        pairs = align_more(pairs, _keys(left, key, 0), _keys(right, key, 1))
    return list(_rows(left, right, pairs, cut_short))


def _whole(trace: Trace) -> Hashable:
    """All that a step is before it is known what it gives; one that failed stands for one that failed."""
    return trace.form, trace.sets, trace.asked, trace.commit.kind == "failure"


def _role(trace: Trace) -> Hashable:
    return trace.form, trace.sets


def _purpose(trace: Trace) -> Hashable:
    return trace.sets or None


def _form(trace: Trace) -> Hashable:
    return trace.form


_KEYS: Final = (_role, _purpose, _form)
"""From what steps most surely stand for each other by, to what they may."""


def _keys(traces: Sequence[Trace], key: Callable[[Trace], Hashable], side: int) -> list[Hashable]:
    """The keys of one side; steps without one are like no other."""
    keys = [key(trace) for trace in traces]
    return [(side, index) if found is None else found for index, found in enumerate(keys)]


def _rows(
    left: Sequence[Trace],
    right: Sequence[Trace],
    pairs: Sequence[Pair],
    cut_short: Callable[[Trace, Trace], bool],
) -> Iterator[Row]:
    i = j = 0
    for next_i, next_j in [*pairs, (len(left), len(right))]:
        yield from (Row(trace, None, "removed") for trace in left[i:next_i])
        yield from (Row(None, trace, "added") for trace in right[j:next_j])
        if next_i < len(left) and next_j < len(right):
            one, other = left[next_i], right[next_j]
            yield Row(one, other, _change(one, other, cut_short))
        i, j = next_i + 1, next_j + 1


def _change(one: Trace, other: Trace, cut_short: Callable[[Trace, Trace], bool]) -> RowChange:
    if (one.form, one.sets) != (other.form, other.sets):
        return "step"
    if one.asked != other.asked and not cut_short(one, other):
        return "inputs"
    return "same" if (one.gave, one.error) == (other.gave, other.error) else "output"
