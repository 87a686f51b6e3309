"""Stores that note when they are written to."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple, cast

from app.history.base import RawObject, RefMove, Store, StoreFactory


class Flush(NamedTuple):
    """One write, in seconds of the clock that the commits are noted by."""

    begin: float
    end: float


class WatchedStores:
    """Opens the stores of ``factory``; ``flushes`` are the writes to all of them."""

    def __init__(self, factory: StoreFactory) -> None:
        self._factory = factory
        self.flushes: list[Flush] = []

    def open(self, task_id: str) -> Store:
        return cast(Store, _WatchedStore(self._factory.open(task_id), self.flushes))

    def create(self, task_id: str) -> Store:
        return self._factory.create(task_id)

    def delete(self, task_id: str) -> None:
        self._factory.delete(task_id)


class _WatchedStore:
    def __init__(self, store: Store, flushes: list[Flush]) -> None:
        self._store = store
        self._flushes = flushes

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        begin = perf_counter()
        self._store.write(objects, moves)
        self._flushes.append(Flush(begin, perf_counter()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
