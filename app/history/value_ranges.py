"""Reading a part of a long value: some items of a list, some keys of an object, what lies at a path in it.

A long list is a tree whose nodes don't say how many items they hold. That is counted once and remembered by the
nodes' ids, which later versions of the list share; so whoever pages through one reads each part of it once.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from app.errors import DamagedHistory
from app.history.snapshots import SnapshotReader
from app.history.trees import Entry
from app.history.variable_trees import VariableTrees, WatchedVariable
from app.plan.model import Json
from app.plan.paths import no_part, pick
from app.plan.values import to_json_text

_COUNTED: Final = 100_000
"""How many nodes' counts are remembered."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A value that was read whole: it lies in one blob."""

    value: Json


@dataclass(frozen=True, slots=True)
class LongList:
    """A list that is a tree."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class LongObject:
    """An object that is a folder."""

    entry: Entry


Node: TypeAlias = Plain | LongList | LongObject

_TYPES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}

_counts: dict[bytes, int] = {}


class ValueRanges:
    """Reads values of one store in parts. Raises ``DamagedHistory``."""

    def __init__(self, reader: SnapshotReader, counts: MutableMapping[bytes, int] = _counts) -> None:
        self._reader = reader
        self._trees = VariableTrees(reader)
        self._counts = counts

    def open(self, entry: Entry) -> Node:
        """The value behind an entry, read where it is one blob."""
        if not entry.is_tree:
            return Plain(self._reader.value(entry))
        entries = self._trees.read_tree(entry.oid)
        return LongList(entry) if entries and entries[0].name.startswith("@") else LongObject(entry)

    def load(self, node: Node) -> Json:
        """All of it."""
        return node.value if isinstance(node, Plain) else self._reader.value(node.entry)

    def type(self, node: Node) -> str:
        """``null``, ``boolean``, ``number``, ``text``, ``list`` or ``object``."""
        if isinstance(node, Plain):
            return _TYPES[type(node.value)]
        return "list" if isinstance(node, LongList) else "object"

    def size(self, node: Node) -> int | None:
        """How many items, keys or characters; ``None`` for what has no parts."""
        if isinstance(node, LongList):
            return self._count(node.entry.oid)
        if isinstance(node, LongObject):
            return len(self._reader.folder(node.entry.oid))
        return len(node.value) if isinstance(node.value, str | list | dict) else None

    def pick(self, node: Node, part: str | int, what: str) -> Node:
        """The item or the member. Raises ``ReferenceFailed`` where there is none; ``what`` names the path."""
        if isinstance(node, Plain):
            return Plain(pick(node.value, part, what))
        if isinstance(node, LongList) and isinstance(part, int):
            place = part if part >= 0 else part + self._count(node.entry.oid)
            found = next(self._items(node.entry.oid, place), None) if place >= 0 else None
            if found is None:
                raise no_part([None] * self._count(node.entry.oid), part, what)
            return found
        if isinstance(node, LongObject) and isinstance(part, str):
            entry = WatchedVariable(self._trees, part).find(node.entry.oid) if _is_text(part) else None
            if entry is None:
                raise no_part(dict.fromkeys(self._keys(node)), part, what)
            return self.open(entry)
        raise no_part([] if isinstance(node, LongList) else {}, part, what)

    def slice(self, node: Node, offset: int, limit: int, most_bytes: int) -> tuple[Json, int]:
        """Of a text, list or object the part from ``offset``, and how many characters, items or keys that is.

        The keys of an object are in their order. Where ``most_bytes`` of JSON are reached, it ends early, though not
        before there is one. Anything else is given whole, and counts as nothing.
        """
        if isinstance(node, Plain) and isinstance(node.value, str):
            text = node.value[offset : offset + min(limit, most_bytes)]
            return text, len(text)
        if self.type(node) == "list":
            items = list(_within((("", each) for each in self._from(node, offset, limit)), most_bytes))
            return [value for _, value in items], len(items)
        if self.type(node) == "object":
            members = list(_within(self._members(node, offset, limit), most_bytes))
            return dict(members), len(members)
        return self.load(node), 0

    def _from(self, node: Node, offset: int, limit: int) -> Iterator[Json]:
        """The items of a list."""
        if isinstance(node, Plain):
            yield from node.value[offset : offset + limit]
        else:
            yield from map(self.load, islice(self._items(node.entry.oid, offset), limit))

    def _members(self, node: Node, offset: int, limit: int) -> Iterator[tuple[str, Json]]:
        if isinstance(node, Plain):
            for key in sorted(node.value)[offset : offset + limit]:
                yield key, node.value[key]
            return
        entries = dict(self._reader.folder(node.entry.oid))
        for key in sorted(entries)[offset : offset + limit]:
            yield key, self._reader.value(entries[key])

    def _keys(self, node: LongObject) -> list[str]:
        return [key for key, _ in self._reader.folder(node.entry.oid)]

    def _items(self, oid: bytes, skip: int) -> Iterator[Node]:
        """The items of a node of a list, from one on."""
        for entry in self._trees.read_tree(oid):
            if skip > 0:
                count = self._entry_count(entry)
                if skip >= count:
                    skip -= count
                    continue
            if entry.name.endswith(".json"):
                yield from map(Plain, self._pack(entry)[skip:])
            elif entry.name.endswith(".d"):
                yield self.open(entry)
            else:
                yield from self._items(entry.oid, skip)
            skip = 0

    def _count(self, oid: bytes) -> int:
        known = self._counts.get(oid)
        if known is None:
            known = sum(map(self._entry_count, self._trees.read_tree(oid)))
            self._remember(oid, known)
        return known

    def _entry_count(self, entry: Entry) -> int:
        if entry.name.endswith(".d"):
            return 1
        if not entry.name.endswith(".json"):
            return self._count(entry.oid)
        known = self._counts.get(entry.oid)
        if known is None:
            known = len(self._pack(entry))
            self._remember(entry.oid, known)
        return known

    def _remember(self, oid: bytes, count: int) -> None:
        if len(self._counts) >= _COUNTED:
            self._counts.clear()
        self._counts[oid] = count

    def _pack(self, entry: Entry) -> list[Json]:
        items = self._reader.value(entry)
        if not isinstance(items, list):
            raise DamagedHistory(entry.oid.hex(), "is not a list of items")
        return items


def _within(members: Iterator[tuple[str, Json]], most_bytes: int) -> Iterator[tuple[str, Json]]:
    left = most_bytes
    for key, value in members:
        size = len(to_json_text(value)) + len(key)
        if size > left < most_bytes:
            return
        left -= size
        yield key, value


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
