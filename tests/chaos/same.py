"""The same history everywhere: random plans give the same ids on every store, and replay with nothing called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from databases import create_schema, empty_tables, new_database
from random_plans import TOOLS, random_steps
from rig import TASK, Clock, Rig

from app.db.session import Database, open_database
from app.history.base import Store
from app.history.git_store import GitStoreFactory
from app.history.sql_store import SqlStoreFactory
from app.tools import Tool

LOCAL: Final = ("git", "sqlite")
SERVERS: Final = ("mariadb", "postgresql")


@dataclass(slots=True)
class Compared:
    """What a batch of plans gave. ``commits``: of all plans, on one store."""

    unit: str = ""
    plans: int = 0
    histories: int = 0
    commits: int = 0
    kinds: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)


class Counting:
    """Tools that count how often they are called."""

    def __init__(self) -> None:
        self.calls = 0
        self.tools: list[Tool] = [replace(each, function=self._counting(each.function)) for each in TOOLS]

    def _counting(self, function: Any) -> Any:
        def counting(**arguments: Any) -> Any:
            self.calls += 1
            return function(**arguments)

        return counting


def compare(seeds: Sequence[int], stores: Sequence[str]) -> Iterator[Compared]:
    """Run the plans of these seeds in memory and on each of ``stores``."""
    with TemporaryDirectory() as folder:
        places = [_Place(kind, Path(folder)) for kind in stores]
        try:
            for seed in seeds:
                yield _compare(seed, places)
        finally:
            for place in places:
                place.close()


class _Place:
    """Where histories of one kind of store are kept, one after the other."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder / kind
        self._folder.mkdir()
        self._database: Database | None = None
        if kind != "git":
            self._context = new_database(kind, self._folder)
            self._database = open_database(self._context.__enter__())
            create_schema(self._database)

    def store(self, seed: int) -> Store:
        """An empty one."""
        if self._database is None:
            folder = self._folder / str(seed)
            folder.mkdir()
            return GitStoreFactory(folder).create(TASK)
        empty_tables(self._database)
        return SqlStoreFactory(self._database).create(TASK)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._context.__exit__(None, None, None)


def _compare(seed: int, places: Sequence[_Place]) -> Compared:
    found = Compared(plans=1)
    expected = _history(seed, None, "memory", found)
    found.commits = len(expected)
    for place in places:
        ids = _history(seed, place.store(seed), place.kind, found)
        if ids != expected:
            first = next(
                (n for n, pair in enumerate(zip(ids, expected, strict=False)) if len(set(pair)) > 1), None
            )
            found.violations.append(f"plan {seed}: {place.kind} differs from memory at commit {first}")
    return found


def _history(seed: int, store: Store | None, kind: str, found: Compared) -> list[str]:
    """The ids of a run, oldest first; a failed run is resumed once. It is replayed, and nothing may be called."""
    counting = Counting()
    rig = Rig(random_steps(seed), counting.tools, store=store, clock=Clock(tick_ms=0))
    if rig.run().status == "failed":
        rig.run()
    calls = counting.calls
    replayed = rig.replay()
    ids = [commit.id for commit in rig.repository.log(rig.head())][::-1]
    found.histories += 1
    found.kinds.update(rig.kinds())
    if replayed.divergence is not None or replayed.commits != len(ids):
        found.violations.append(f"plan {seed}: the replay on {kind} differs")
    if counting.calls != calls:
        found.violations.append(f"plan {seed}: the replay on {kind} called a tool")
    rig.store.finish()
    rig.store.close()
    return ids
