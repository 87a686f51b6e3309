"""A store whose commits and records are at hand: for who walks a whole line and reads a little of each commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from app.errors import DamagedHistory
from app.history.base import RawObject, Store
from app.history.reachable import Graph
from app.history.trees import parse_tree

_FILES: Final = frozenset({"format", "plan.json", "record.json", "state.json"})


def warmed(store: Store, heads: Iterable[bytes]) -> Store:
    """The same store; of all that ``heads`` reach, commits and the documents at the top are in memory."""
    found: dict[bytes, RawObject] = {}
    try:
        nodes = Graph(store).ancestors(heads)
        _keep(store, nodes, found)
        trees = [node.tree for node in nodes.values() if node is not None and node.tree is not None]
        _keep(store, trees, found)
        entries = (entry for tree in dict.fromkeys(trees) for entry in parse_tree(found[tree].data))
        _keep(store, [entry.oid for entry in entries if entry.name in _FILES], found)
    except (DamagedHistory, ValueError):
        pass  # whoever needs what is damaged is told when it is read
    return cast("Store", _Warm(store, found))


def _keep(store: Store, oids: Iterable[bytes], found: dict[bytes, RawObject]) -> None:
    for item in store.read_many(oids):
        found[item.oid] = item


class _Warm:
    def __init__(self, store: Store, found: dict[bytes, RawObject]) -> None:
        self._store = store
        self._found = found

    def read(self, oid: bytes) -> RawObject:
        return self._found.get(oid) or self._store.read(oid)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
