"""All objects that some commits reach, and what of it those who have others lack. Read by the thousand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from stat import S_ISDIR
from typing import Final, NamedTuple

from dulwich.objects import S_ISGITLINK, parse_tree

from app.errors import BranchMoved, DamagedHistory
from app.history.base import Kind, RawObject, RefMove, Store

_TAG: Final = 4
_FOLDER: Final = 0o40000
_ONE_BY_ONE: Final = 32
"""So many commits are read one after the other, each naming the next; then all of the store, in a fraction of
the time."""


class Node(NamedTuple):
    """What a commit refers to. A tag has one parent, what it stands for, and no tree."""

    tree: bytes | None
    parents: tuple[bytes, ...]


class Graph:
    """The commits of a store and what each refers to, read as they are asked for. Raises ``DamagedHistory``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._nodes: dict[bytes, Node | None] = {}
        self._reads = 0

    def node(self, oid: bytes) -> Node | None:
        """``None`` for a blob or a tree, which a tag may stand for."""
        if oid not in self._nodes:
            self._reads += 1
            if self._reads == _ONE_BY_ONE:
                self._read_all()
        if oid not in self._nodes:
            self._nodes[oid] = _node(self._store.read(oid))
        return self._nodes[oid]

    def _read_all(self) -> None:
        try:
            for item in self._store.read_many(self._store.object_ids(Kind.COMMIT)):
                self._nodes[item.oid] = _node(item)
        except DamagedHistory:
            pass  # nobody asked for that one, perhaps: whoever does is told

    def ancestors(
        self,
        tips: Iterable[bytes],
        stops: Collection[bytes] = frozenset(),
        cuts: Collection[bytes] = frozenset(),
    ) -> dict[bytes, Node | None]:
        """What ``tips`` reach among commits, each before its parents on its own line, without ``stops`` and what lies
        behind them alone. The parents of ``cuts`` count as not there.
        """
        found: dict[bytes, Node | None] = {}
        waiting = [oid for oid in sorted(set(tips)) if oid not in stops]
        while waiting:
            oid = waiting.pop()
            if oid in found:
                continue
            node = found[oid] = self.node(oid)
            if node is not None and oid not in cuts:
                waiting += [parent for parent in reversed(node.parents) if parent not in stops]
        return found


class Reached:
    """What ``commits`` hold, but for ``known``: :meth:`structure` first, which finds the blobs."""

    def __init__(
        self, store: Store, commits: dict[bytes, Node | None], known: Collection[bytes] = frozenset()
    ) -> None:
        self._store = store
        self._commits = commits
        # In hex, as trees are parsed to: nearly all that trees name was named before, and is not looked at further.
        self._seen = {oid.hex().encode() for oid in (*known, *commits)}
        self.blobs: list[bytes] = []

    def structure(self) -> Iterator[RawObject]:
        """The commits, tags and trees, each once. Raises ``DamagedHistory``."""
        tagged: list[bytes] = []
        for item in self._store.read_many(self._commits):
            yield item
            self._sort(item, tagged)
        # In the order of the commits: what was written together lies together.
        level = [
            tree for node in self._commits.values() if node is not None and (tree := self._new(node.tree))
        ]
        level += tagged
        while level:
            below: list[bytes] = []
            for item in self._store.read_many(level):
                yield item
                self._sort(item, below)
            level = below

    def _new(self, oid: bytes | None) -> bytes | None:
        """The id where it was not seen before."""
        digits = b"" if oid is None else oid.hex().encode()
        if not digits or digits in self._seen:
            return None
        self._seen.add(digits)
        return oid

    def _sort(self, item: RawObject, trees: list[bytes]) -> None:
        """Note what a tree names: trees to be read, and blobs."""
        if item.kind != Kind.TREE:
            return
        seen = self._seen
        for _, mode, digits in parse_tree(item.data, 20):
            if digits not in seen and not S_ISGITLINK(mode):
                seen.add(digits)
                (trees if mode == _FOLDER else self.blobs).append(bytes.fromhex(digits.decode()))


def reachable_objects(store: Store, tips: Iterable[bytes]) -> Iterator[RawObject]:
    """Each object that ``tips`` reach, once: commits, then trees, then blobs. Raises ``DamagedHistory``."""
    reached = Reached(store, Graph(store).ancestors(tips))
    yield from reached.structure()
    yield from store.read_many(reached.blobs)


def object_ids_of(
    store: Store, commits: dict[bytes, Node | None], known: Collection[bytes] = frozenset()
) -> list[bytes]:
    """The ids of what ``commits`` hold, but for ``known``. Raises ``DamagedHistory``."""
    reached = Reached(store, commits, known)
    return [item.oid for item in reached.structure()] + reached.blobs


def reachable_ids(store: Store, tips: Iterable[bytes], without: Collection[bytes] = ()) -> set[bytes]:
    """The ids of all that ``tips`` reach, but for what lies behind those in ``without``.

    Blobs are not read, only named. Raises ``DamagedHistory``.
    """
    seen = {oid for oid in tips if oid not in without}
    waiting = list(seen)
    while waiting:
        item = store.read(waiting.pop())
        for oid, is_blob in _references(item):
            if oid not in seen and oid not in without:
                seen.add(oid)
                if not is_blob:
                    waiting.append(oid)
    return seen


def require_reachable(store: Store, moves: Iterable[RefMove]) -> None:
    """Raise ``BranchMoved`` where a move's new target, or what it reaches, is not there: garbage was collected since
    it was chosen. To be asked only where that may be, as it walks the whole history."""
    for move in moves:
        if move.new is None:
            continue
        try:
            missing = next((oid for oid in reachable_ids(store, [move.new]) if not store.has(oid)), None)
        except DamagedHistory as error:
            missing = bytes.fromhex(error.oid)
        if missing is not None:
            raise BranchMoved(move.ref, "what it was to point to was cleared away meanwhile (`stackvm gc`)")


def _references(item: RawObject) -> list[tuple[bytes, bool]]:
    """The ids an object names, and of each whether it is surely a blob."""
    if item.kind == Kind.TREE:
        return [
            (bytes.fromhex(digits.decode()), not S_ISDIR(mode))
            for _, mode, digits in parse_tree(item.data, 20)
            if not S_ISGITLINK(mode)
        ]
    node = _node(item)
    if node is None:
        return []
    return [(oid, False) for oid in (node.tree, *node.parents) if oid is not None]


def _node(item: RawObject) -> Node | None:
    if item.kind not in (Kind.COMMIT, _TAG):
        return None
    tree, parents = None, []
    for line in item.data.partition(b"\n\n")[0].split(b"\n"):
        word, _, digits = line.partition(b" ")
        if word == b"tree":
            tree = bytes.fromhex(digits.decode())
        elif word in (b"parent", b"object"):
            parents.append(bytes.fromhex(digits.decode()))
    return Node(tree, tuple(parents))
