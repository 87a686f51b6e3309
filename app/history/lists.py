"""Long lists as 32-way trees: leaves hold consecutive items, filled from the left, so appending writes O(log n).

Names inside: ``@00.json`` a pack of items, ``@00.d`` one long item, ``@00`` (a tree) an inner node.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import count
from operator import attrgetter, is_
from typing import Any, Final, NamedTuple

from app.history.base import Kind
from app.history.canonical import MAX_DEPTH, canonical
from app.history.trees import ObjectSink, entry_line

LEAF_BYTES: Final = 4 * 1024
"""Items are packed into a leaf while their texts together stay within this."""

FAN: Final = 32

StoreLongItem = Callable[[Any, ObjectSink], "bytes | None"]


class Leaf(NamedTuple):
    """``start`` is the index of its first item; ``is_tree`` where it is one long item."""

    start: int
    is_tree: bool
    oid: bytes


class ListTree:
    """The leaves of a list and the inner nodes above them. ``size`` is the canonical text's length."""

    __slots__ = ("_leaves", "_levels", "_sizes", "_total", "value")

    def __init__(
        self, value: list[Any], leaves: list[Leaf], sizes: list[int], total: int, levels: list[list[bytes]]
    ) -> None:
        self.value = value
        self._leaves = leaves
        self._sizes = sizes  # bytes of each item's text inside the list's
        self._total = total  # their sum
        self._levels = levels  # ids of the inner nodes that are known, from the leaves up

    @property
    def size(self) -> int:
        """Bytes of the list's canonical text: brackets, items, and ``,\\n`` between them."""
        return 5 + self._total + 2 * (len(self.value) - 1) if self.value else 3

    @classmethod
    def build(
        cls,
        value: list[Any],
        sink: ObjectSink,
        store_long_item: StoreLongItem,
        previous: ListTree | None = None,
        max_depth: int = MAX_DEPTH,
    ) -> ListTree:
        """Pack the items that ``previous`` does not hold already. :meth:`write` then writes the inner nodes."""
        if previous is None:
            tree = cls(value, [], [], 0, [])
            start = 0
        else:
            tree, start = previous._take_over(value)
        sizes = [len(canonical([item], max_depth)) - 5 for item in value[len(tree._sizes) :]]
        tree._sizes += sizes
        tree._total += sum(sizes)
        tree._pack(start, sink, store_long_item, max_depth)
        return tree

    def _take_over(self, value: list[Any]) -> tuple[ListTree, int]:
        """A tree of ``value`` with the leaves that can't differ, and where packing has to go on."""
        common = _common_prefix(self.value, value)
        # The leaf that holds the item before the first change may be filled differently now.
        kept = bisect_right(self._leaves, max(common - 1, 0), key=attrgetter("start")) - 1
        levels = [level[: kept // FAN**depth] for depth, level in enumerate(self._levels, 1)]
        total = self._total - sum(self._sizes[common:])
        return ListTree(value, self._leaves[:kept], self._sizes[:common], total, levels), self._leaves[
            kept
        ].start

    def _pack(self, start: int, sink: ObjectSink, store_long_item: StoreLongItem, max_depth: int) -> None:
        """Fill leaves from item ``start`` to the end, greedily: a function of the items alone."""
        filled = 0
        for index in range(start, len(self.value)):
            size = self._sizes[index]
            long = store_long_item(self.value[index], sink) if size > LEAF_BYTES else None
            if index > start and (long is not None or filled + size > LEAF_BYTES):
                self._close_leaf(start, index, sink, max_depth)
                start, filled = index, 0
            if long is not None:
                self._leaves.append(Leaf(index, True, long))
                start = index + 1
            else:
                filled += size
        if start < len(self.value):
            self._close_leaf(start, len(self.value), sink, max_depth)

    def _close_leaf(self, start: int, end: int, sink: ObjectSink, max_depth: int) -> None:
        self._leaves.append(
            Leaf(start, False, sink.add(Kind.BLOB, canonical(self.value[start:end], max_depth)))
        )

    def write(self, sink: ObjectSink) -> bytes:
        """Write the inner nodes that are not known yet; gives the id of the root."""
        names = [".d" if leaf.is_tree else ".json" for leaf in self._leaves]
        below = [leaf.oid for leaf in self._leaves]
        for depth in count():
            if depth == len(self._levels):
                self._levels.append([])
            level = self._levels[depth]
            for first in range(len(level) * FAN, len(below), FAN):
                lines = [
                    entry_line(f"@{place:02d}{suffix}", suffix != ".json", oid)
                    for place, (suffix, oid) in enumerate(
                        zip(names[first : first + FAN], below[first : first + FAN], strict=True)
                    )
                ]
                level.append(sink.add(Kind.TREE, b"".join(lines)))
            if len(level) == 1:
                del self._levels[depth + 1 :]
                return level[0]
            names, below = [""] * len(level), level
        raise AssertionError("unreachable")


def _common_prefix(old: list[Any], new: list[Any]) -> int:
    """How many leading items are the very same objects."""
    if len(new) >= len(old) and all(map(is_, old, new)):
        return len(old)
    for index, (left, right) in enumerate(zip(old, new, strict=False)):
        if left is not right:
            return index
    return min(len(old), len(new))
