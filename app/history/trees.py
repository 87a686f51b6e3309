"""Trees of git as bytes, and folders that fan out so that setting one entry writes O(log n) bytes.

Specified in ``docs/history-format.md``. Nothing here knows what the entries mean.
"""

from __future__ import annotations

from bisect import insort
from hashlib import sha1
from typing import Final, NamedTuple

from app.history.base import Kind, RawObject, object_id

FAN_OUT_ABOVE: Final = 128
"""A folder of more entries than this is split by the first hash nibble of its keys."""

BLOB_MODE: Final = b"100644"
TREE_MODE: Final = b"40000"


class ObjectSink:
    """Collects the objects of the next write, each once."""

    _SEEN_LIMIT: Final = 500_000

    def __init__(self) -> None:
        self.pending: list[RawObject] = []
        self.bytes = 0
        self._seen: set[bytes] = set()

    def add(self, kind: int, data: bytes) -> bytes:
        """Take an object; gives its 20-byte id."""
        oid = object_id(kind, data)
        if oid not in self._seen:
            self._seen.add(oid)
            self.pending.append(RawObject(oid, kind, data))
            self.bytes += len(data)
        return oid

    def drain(self) -> list[RawObject]:
        """The objects since the last call. The caller makes them durable."""
        objects, self.pending, self.bytes = self.pending, [], 0
        if len(self._seen) > self._SEEN_LIMIT:  # forgetting costs a few rows written twice, never an error
            self._seen.clear()
        return objects


class Entry(NamedTuple):
    """What a name in a tree points at."""

    name: str
    is_tree: bool
    oid: bytes


def entry_line(name: str, is_tree: bool, oid: bytes) -> bytes:
    """One entry as git writes it."""
    return b"%s %s\0%s" % (TREE_MODE if is_tree else BLOB_MODE, name.encode(), oid)


def sort_key(name: str, is_tree: bool) -> bytes:
    """Git orders entries by their bytes, a tree as if its name ended with a slash."""
    return name.encode() + b"/" if is_tree else name.encode()


def tree_bytes(entries: list[Entry]) -> bytes:
    """A whole tree from entries in any order."""
    ordered = sorted(entries, key=lambda entry: sort_key(entry.name, entry.is_tree))
    return b"".join(entry_line(*entry) for entry in ordered)


def parse_tree(data: bytes) -> list[Entry]:
    """The entries of a tree, in its order. Raises ``ValueError`` where it is none."""
    entries = []
    position = 0
    while position < len(data):
        space = data.index(b" ", position)
        end = data.index(b"\0", space)
        mode = data[position:space]
        oid = data[end + 1 : end + 21]
        if len(oid) != 20:
            raise ValueError("truncated tree")
        entries.append(Entry(data[space + 1 : end].decode(), mode == TREE_MODE, oid))
        position = end + 21
    return entries


class FanTree:
    """A folder of keys. ``put`` marks the path from its entry to the root; ``write`` writes what is marked.

    The shape is a function of the set of keys alone: a node with more than 128 keys below it has sixteen
    possible children ``_0`` … ``_f``, chosen by the nibble of SHA-1(key) at the node's depth.
    """

    __slots__ = ("_children", "_count", "_depth", "_leaf", "_oid")

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self._count = 0
        self._oid: bytes | None = None
        self._leaf: _Leaf | None = _Leaf()
        self._children: _Children | None = None

    def __len__(self) -> int:
        return self._count

    def put(self, key: str, name: str, is_tree: bool, oid: bytes) -> None:
        """Set the entry of ``key``, replacing the one it had, also under another name."""
        self._put(key, _digest(key), sort_key(name, is_tree), entry_line(name, is_tree, oid))

    def _put(self, key: str, digest: bytes, order: bytes, line: bytes) -> bool:
        """Whether the key is new here."""
        self._oid = None
        if self._children is not None:
            nibble = _nibble(digest, self._depth)
            is_new = self._children.get(nibble, self._depth)._put(key, digest, order, line)
            self._count += is_new
            return is_new
        assert self._leaf is not None
        is_new = self._leaf.put(key, order, line)
        self._count += is_new
        if self._count > FAN_OUT_ABOVE:
            self._split(self._leaf)
        return is_new

    def _split(self, leaf: _Leaf) -> None:
        self._leaf, self._children = None, _Children()
        for key, order in leaf.names.items():
            digest = _digest(key)
            child = self._children.get(_nibble(digest, self._depth), self._depth)
            child._put(key, digest, order, leaf.lines[order])

    def write(self, sink: ObjectSink) -> bytes:
        """Write the nodes that changed; gives the id of the root."""
        if self._oid is None:
            part = self._leaf if self._children is None else self._children
            assert part is not None
            self._oid = sink.add(Kind.TREE, part.data(sink))
        return self._oid


class _Leaf:
    """Entries in one tree, kept in git's order."""

    __slots__ = ("lines", "names", "order")

    def __init__(self) -> None:
        self.names: dict[str, bytes] = {}  # key → sort key
        self.lines: dict[bytes, bytes] = {}  # sort key → entry
        self.order: list[bytes] = []  # the sort keys, sorted

    def put(self, key: str, order: bytes, line: bytes) -> bool:
        previous = self.names.get(key)
        if previous != order:
            if previous is not None:
                del self.lines[previous]
                self.order.remove(previous)
            self.names[key] = order
            insort(self.order, order)
        self.lines[order] = line
        return previous is None

    def data(self, sink: ObjectSink) -> bytes:
        return b"".join(map(self.lines.__getitem__, self.order))


class _Children:
    """Sixteen possible nodes and their lines in the tree above them; ``_changed`` are those to write anew."""

    __slots__ = ("_changed", "_lines", "_nodes")

    def __init__(self) -> None:
        self._nodes: list[FanTree | None] = [None] * 16
        self._lines = [b""] * 16
        self._changed: set[int] = set()

    def get(self, nibble: int, depth: int) -> FanTree:
        """The child, to be changed; made if it is not there."""
        self._changed.add(nibble)
        node = self._nodes[nibble]
        if node is None:
            node = self._nodes[nibble] = FanTree(depth + 1)
        return node

    def data(self, sink: ObjectSink) -> bytes:
        for nibble in self._changed:
            node = self._nodes[nibble]
            assert node is not None
            self._lines[nibble] = b"40000 _%x\0%s" % (nibble, node.write(sink))
        self._changed.clear()
        return b"".join(self._lines)


def _nibble(digest: bytes, depth: int) -> int:
    byte = digest[depth >> 1]
    return byte & 15 if depth & 1 else byte >> 4


def _digest(key: str) -> bytes:
    return sha1(key.encode(), usedforsecurity=False).digest()
