"""Objects that are read one by one: neighbours are looked up together; nothing old is trusted where it matters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import KINDS, shared_database
from git_objects import MAIN, blob, write_line

from app.db.session import Database, open_database
from app.errors import DamagedHistory
from app.history import sql_places
from app.history.base import Kind
from app.history.sql_store import SMALL_OBJECTS, SqlStoreFactory

MANY = [blob(f"number {number}") for number in range(2 * SMALL_OBJECTS)]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = open_database(shared_database(request.param, tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each query."""
    queries: list[None] = []
    ask = Database.ask_cursor

    def counted(self: Database, *given: Any) -> Any:
        queries.append(None)
        return ask(self, *given)

    monkeypatch.setattr(Database, "ask_cursor", counted)
    return queries


def test_a_walk_over_objects_takes_few_queries(database: Database, asked: list[None]) -> None:
    SqlStoreFactory(database).create("task").write(MANY)
    store = SqlStoreFactory(database).open("task")
    asked.clear()
    assert [store.read(item.oid) for item in MANY] == MANY
    assert len(asked) <= 40
    asked.clear()
    assert [store.read(item.oid) for item in MANY] == MANY
    assert len(asked) == 0


def test_a_few_objects_are_looked_up_alone(database: Database, asked: list[None]) -> None:
    SqlStoreFactory(database).create("task").write(MANY)
    store = SqlStoreFactory(database).open("task")
    store.read(MANY[0].oid)
    asked.clear()
    for item in MANY[1:6]:
        store.read(item.oid)
    assert len(asked) == 5


def test_what_is_kept_is_limited(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_places, "_MOST", 300)
    factory = SqlStoreFactory(database)
    factory.create("task").write(MANY[:SMALL_OBJECTS])
    factory.open("task").write(MANY[SMALL_OBJECTS:])
    store = factory.open("task")
    for _ in range(2):
        assert [store.read(item.oid) for item in MANY] == MANY
        assert len(store._places._known) <= 300


def test_objects_that_are_moved_meanwhile_are_found(database: Database) -> None:
    writer = SqlStoreFactory(database).create("task")
    line = write_line(writer, MAIN, 100)
    writer.write(MANY)  # garbage beside them
    writer.finish()
    reader = SqlStoreFactory(database).open("task")
    kept = [reader.read(oid) for oid in line]
    SqlStoreFactory(database).open("task").collect()
    fresh = SqlStoreFactory(database)  # nothing of the segments in memory
    reader._cache = fresh._cache
    assert [reader.read(oid) for oid in line] == kept
    assert all(item.kind == Kind.COMMIT for item in kept)


def test_who_collects_sees_that_garbage_is_gone(database: Database) -> None:
    store = SqlStoreFactory(database).create("task")
    write_line(store, MAIN, 3)
    store.write(MANY)
    assert all(store.read(item.oid) for item in MANY)
    store.collect()
    assert not store.has(MANY[0].oid)
    with pytest.raises(DamagedHistory):
        store.read(MANY[0].oid)
