"""A store with much of it at hand: for who walks a whole line, or takes up a whole state, object by object."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, cast

from app.errors import DamagedHistory
from app.history.base import RawObject, Store
from app.history.reachable import Graph, Reached
from app.history.repository import Repository
from app.history.trees import parse_tree

_FILES: Final = frozenset({"format", "plan.json", "record.json", "state.json"})


class WarmRepository(Repository):
    """A repository that can read ahead, many objects at a time. What is damaged is told of by who reads it."""

    def __init__(self, store: Store) -> None:
        self._source = store
        self._found: dict[bytes, RawObject] = {}
        super().__init__(cast("Store", _Warm(store, self._found)))

    def read_lines(self, heads: Iterable[bytes]) -> None:
        """Read ahead the commits that ``heads`` reach, and the documents at the top of each."""
        with suppress(DamagedHistory, ValueError):
            nodes = Graph(self._source).ancestors(heads)
            self._keep(nodes)
            trees = [node.tree for node in nodes.values() if node is not None and node.tree is not None]
            self._keep(trees)
            entries = (entry for tree in dict.fromkeys(trees) for entry in parse_tree(self._found[tree].data))
            self._keep([entry.oid for entry in entries if entry.name in _FILES])

    def read_state(self, commit: bytes) -> None:
        """Read ahead all that a commit holds."""
        with suppress(DamagedHistory, ValueError):
            reached = Reached(self._source, {commit: Graph(self._source).node(commit)})
            for item in reached.structure():
                self._found[item.oid] = item
            self._keep(reached.blobs)

    def _keep(self, oids: Iterable[bytes]) -> None:
        for item in self._source.read_many(oids):
            self._found[item.oid] = item


class _Warm:
    def __init__(self, store: Store, found: dict[bytes, RawObject]) -> None:
        self._store = store
        self._found = found

    def read(self, oid: bytes) -> RawObject:
        return self._found.get(oid) or self._store.read(oid)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
