"""Which item of a sequence became which of another: pairs of indices of equal items, nothing counted twice.

Common ends are paired first, then items that stand once on either side (they are what a reader orients
by), then, between those, repeated ones in their order. Hashing only: sequences of
thousands of items are fine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeAlias

Pair: TypeAlias = tuple[int, int]
Gap: TypeAlias = tuple[range, range]
"""A stretch of the old sequence and the stretch of the new one that stands in its place."""


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    """Pairs of equal items in ascending order on both sides."""
    pairs: list[Pair] = []
    due: list[Gap] = [(range(len(old)), range(len(new)))]
    while due:
        before, after = due.pop()
        before, after = _trim(old, new, before, after, pairs)
        if not before or not after:
            continue
        anchors = _unique_pairs(old, new, before, after)
        if anchors:
            pairs.extend(anchors)
            due.extend(gaps(anchors, before, after))
        else:
            matched = match(((old[i], i) for i in before), ((new[j], j) for j in after))
            pairs.extend(longest_ascending(matched))
    return sorted(pairs)


def align_more(pairs: Sequence[Pair], old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    """The pairs and more of them, between those that stayed in place, by keys less strict than theirs.

    Sorted by the second index.
    """
    used_old, used_new = {i for i, _ in pairs}, {j for _, j in pairs}
    more: list[Pair] = []
    for before, after in gaps(longest_ascending(pairs), range(len(old)), range(len(new))):
        free_old = [(old[i], i) for i in before if i not in used_old]
        free_new = [(new[j], j) for j in after if j not in used_new]
        more += longest_ascending(match(free_old, free_new))
    return sorted([*pairs, *more], key=lambda pair: pair[1])


def gaps(pairs: Sequence[Pair], before: range, after: range) -> Iterator[Gap]:
    """What lies between ascending pairs, and before the first and after the last of them."""
    i, j = before.start, after.start
    for left, right in [*pairs, (before.stop, after.stop)]:
        if i < left or j < right:
            yield range(i, left), range(j, right)
        i, j = left + 1, right + 1


def match(old: Iterable[tuple[Hashable, int]], new: Iterable[tuple[Hashable, int]]) -> list[Pair]:
    """Pairs of indices of equal keys, the first with the first, in the order of ``new``; order may cross."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for key, index in old:
        waiting[key].append(index)
    return [(waiting[key].popleft(), index) for key, index in new if waiting.get(key)]


def longest_ascending(pairs: Sequence[Pair]) -> list[Pair]:
    """As many of the pairs, sorted by the second index, as also ascend in the first."""
    tails: list[int] = []
    at: list[int] = []
    previous: list[int] = []
    for place, (left, _) in enumerate(pairs):
        length = bisect_left(tails, left)
        previous.append(at[length - 1] if length else -1)
        tails[length : length + 1] = [left]
        at[length : length + 1] = [place]
    chosen: list[Pair] = []
    place = at[-1] if at else -1
    while place >= 0:
        chosen.append(pairs[place])
        place = previous[place]
    return chosen[::-1]


def _trim(
    old: Sequence[Hashable], new: Sequence[Hashable], before: range, after: range, pairs: list[Pair]
) -> Gap:
    """Pairs what the two stretches begin and end with, and gives what is left of them."""
    start = 0
    most = min(len(before), len(after))
    while start < most and old[before[start]] == new[after[start]]:
        pairs.append((before[start], after[start]))
        start += 1
    end = 0
    while end < most - start and old[before[-1 - end]] == new[after[-1 - end]]:
        pairs.append((before[-1 - end], after[-1 - end]))
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]


def _unique_pairs(
    old: Sequence[Hashable], new: Sequence[Hashable], before: range, after: range
) -> list[Pair]:
    counts_old = Counter(old[i] for i in before)
    counts_new = Counter(new[j] for j in after)
    place = {old[i]: i for i in before if counts_old[old[i]] == 1}
    pairs = [(place[new[j]], j) for j in after if new[j] in place and counts_new[new[j]] == 1]
    return longest_ascending(pairs)
