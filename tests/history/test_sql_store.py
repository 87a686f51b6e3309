"""What is particular to histories in a database; the contract is in ``store_contract``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from databases import KINDS, shared_database
from git_objects import MAIN, blob, step, write_line
from sqlalchemy import delete, func, select, text, update

from app.db.models import journal, objects, refs, repositories, segments
from app.db.session import Database, open_database
from app.errors import BranchMoved, Conflict, DamagedHistory, InvalidValue, StorageError
from app.history import sql_journal
from app.history.base import RawObject, RefMove
from app.history.sql_refs import move_refs
from app.history.sql_statements import StoreStatements
from app.history.sql_store import SMALL_OBJECTS, SqlStore, SqlStoreFactory

MANY = [blob(f"number {number}") for number in range(SMALL_OBJECTS)]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = open_database(shared_database(request.param, tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(shared_database("sqlite", tmp_path))
    yield opened
    opened.close()


def rows(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (journal, segments, objects)
        }


def test_a_small_write_is_a_row_of_the_journal(database: Database) -> None:
    store = SqlStoreFactory(database).create("task")
    write_line(store, MAIN, 3)
    assert rows(database) == {"journal": 3, "segments": 0, "objects": 0}


def test_a_large_write_is_a_segment(database: Database) -> None:
    store = SqlStoreFactory(database).create("task")
    store.write(MANY)
    store.write([blob(bytes(100_000))])
    assert rows(database) == {"journal": 0, "segments": 2, "objects": len(MANY) + 1}


def test_finishing_folds_the_journal(database: Database) -> None:
    store = SqlStoreFactory(database).create("task")
    made = write_line(store, MAIN, 20)
    ids = set(store.object_ids())
    before = store.stored_bytes()
    store.finish()
    assert rows(database) == {"journal": 0, "segments": 1, "objects": len(ids)}
    assert set(store.object_ids()) == ids
    assert store.stored_bytes() < before
    assert store.find_commits(made[7].hex()) == [made[7]]


def test_a_long_journal_is_folded_without_being_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_journal, "MAX_OBJECTS", 30)
    store, other = SqlStoreFactory(database).create("task"), SqlStoreFactory(database).open("task")
    head, written = None, []
    for number in range(40):
        items = step(number, *([head] if head else []))
        store.write(items, [RefMove(MAIN, head, items[-1].oid)])
        head = items[-1].oid
        written += items
        # One that reads along sees all of it at any time.
        assert all(other.read(item.oid) == item for item in written[:: max(1, number)])
    assert rows(database)["journal"] < 30
    assert rows(database)["segments"] > 1
    assert all(store.read(item.oid) == item for item in written)


def test_a_journal_does_not_count_twice_what_it_forgot(sqlite: Database) -> None:
    store = SqlStoreFactory(sqlite).create("task")
    for number in range(3):
        write_line(store, f"refs/heads/b{number}", 5)
        store.finish()
    assert store._journal._bytes == 0
    assert not store._journal.is_full


def test_writing_a_history_again_takes_no_space(database: Database) -> None:
    factory = SqlStoreFactory(database)
    factory.create("task").write(MANY)
    size = factory.open("task").stored_bytes()
    factory.open("task").write(MANY)
    assert factory.open("task").stored_bytes() == size
    assert rows(database)["segments"] == 1


def test_objects_known_to_be_there_are_not_written_again(database: Database) -> None:
    store = SqlStoreFactory(database).create("task")
    store.write(step(1))
    store.write(step(1))
    assert rows(database)["journal"] == 1


def test_a_write_whose_move_is_refused_leaves_nothing(database: Database) -> None:
    store = SqlStoreFactory(database).create("task")
    for items in (step(1), MANY):
        with pytest.raises(BranchMoved):
            store.write(items, [RefMove(MAIN, items[0].oid, items[-1].oid)])
        assert rows(database) == {"journal": 0, "segments": 0, "objects": 0}
        assert not store.has(items[0].oid)


def test_what_failed_can_be_written_when_there_is_room(sqlite: Database) -> None:
    store = SqlStoreFactory(sqlite).create("task")
    large = [blob(bytes(range(256)) * 30 + b"%d" % number) for number in range(400)]
    noise = blob(b"".join(hash_of(number) for number in range(20_000)))
    with sqlite.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StorageError, match="no space left"):
        store.write([*large, noise], [RefMove(MAIN, None, noise.oid)])
    assert store.refs() == {}
    with sqlite.read() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
    store.write([*large, noise], [RefMove(MAIN, None, noise.oid)])
    assert store.read(noise.oid) == noise


def hash_of(number: int) -> bytes:
    return blob(f"noise {number}").oid


class TestDamage:
    """Whatever happens to the rows, no wrong object is given, and the error names the one that was asked for."""

    def read_damaged(self, database: Database, item: RawObject) -> str:
        fresh = SqlStoreFactory(database).open("task")
        with pytest.raises(DamagedHistory) as raised:
            fresh.read(item.oid)
        assert raised.value.oid == item.oid.hex()
        return str(raised.value)

    @pytest.fixture
    def store(self, database: Database) -> SqlStore:
        made = SqlStoreFactory(database).create("task")
        made.write(MANY)
        return made

    def change(self, database: Database, statement: object) -> None:
        with database.write() as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def test_a_segment_that_is_gone(self, database: Database, store: SqlStore) -> None:
        self.change(database, delete(segments))
        assert "no segment" in self.read_damaged(database, MANY[0])

    def test_a_segment_with_other_bytes(self, database: Database, store: SqlStore) -> None:
        with database.read() as connection:
            data = bytearray(connection.execute(select(segments.c.data)).scalar_one())
        for at in range(0, len(data), max(1, len(data) // 40)):
            changed = bytes([*data[:at], data[at] ^ 0x55, *data[at + 1 :]])
            self.change(database, update(segments).values(data=changed))
            fresh = SqlStoreFactory(database).open("task")
            for item in MANY[::16]:
                try:
                    assert fresh.read(item.oid) == item
                except DamagedHistory as damaged:
                    assert damaged.oid == item.oid.hex()

    def test_a_segment_that_is_no_segment(self, database: Database, store: SqlStore) -> None:
        self.change(database, update(segments).values(data=b"\0garbage"))
        assert "is damaged" in self.read_damaged(database, MANY[0])

    @pytest.mark.parametrize("change", [{"position": 3}, {"length": 1}, {"kind": 2}, {"kind": 9}])
    def test_an_index_that_points_elsewhere(
        self, database: Database, store: SqlStore, change: dict[str, int]
    ) -> None:
        self.change(database, update(objects).values(change))
        assert "other bytes" in self.read_damaged(database, MANY[5])

    def test_an_index_row_that_is_gone(self, database: Database, store: SqlStore) -> None:
        self.change(database, delete(objects).where(objects.c.oid == MANY[0].oid))
        assert "is missing" in self.read_damaged(database, MANY[0])

    def test_a_journal_row_with_other_bytes(self, database: Database) -> None:
        store = SqlStoreFactory(database).create("task")
        store.write([blob("one")])
        self.change(database, update(journal).values(data=b"\x03\x00\x00\x00\x03two"))
        assert "is missing" in self.read_damaged(database, blob("one"))


def test_readers_and_a_folding_writer_never_miss_an_object(database: Database) -> None:
    factory = SqlStoreFactory(database)
    store = factory.create("task")
    written: list[RawObject] = []
    stop = False

    def read_along() -> int:
        seen = 0
        while not stop:
            # A store of its own each time: it knows nothing but what the database says.
            reader = factory.open("task")
            for item in written[-20:]:
                assert reader.read(item.oid) == item
                seen += 1
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read_along) for _ in range(2)]
        try:
            for number in range(60):
                items = step(number)
                store.write(items)
                written += items
                if number % 3 == 0:
                    store.finish()
        finally:
            stop = True
        assert all(reader.result() > 0 for reader in readers)


def test_two_writers_fold_one_journal_together(database: Database) -> None:
    factory = SqlStoreFactory(database)
    stores = [factory.create("task"), factory.open("task")]

    def work(number: int) -> None:
        for turn in range(15):
            stores[number].write([blob(f"{number} {turn}"), blob(f"both {turn}")])
            if turn % 4 == 3:
                stores[number].finish()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    wanted = {blob(f"{name} {turn}").oid for name in ("0", "1", "both") for turn in range(15)}
    for store in (*stores, factory.open("task")):
        assert set(store.object_ids()) == wanted
        assert all(store.read(oid).oid == oid for oid in wanted)


def test_who_makes_a_slash_b_waits_for_who_makes_a(database: Database) -> None:
    factory = SqlStoreFactory(database)
    (head,) = write_line(factory.create("task"), MAIN, 1)
    with database.read() as connection:
        number = connection.execute(select(repositories.c.number)).scalar_one()
    with ThreadPoolExecutor(1) as pool:
        with database.write_cursor() as cursor:
            move_refs(cursor, StoreStatements(database), number, [RefMove("refs/heads/a", None, head)])
            later = pool.submit(factory.open("task").write, [], [RefMove("refs/heads/a/b", None, head)])
            time.sleep(0.1)
            assert not later.done()
        with pytest.raises(Conflict, match="refs/heads/a"):
            later.result()
    assert set(factory.open("task").refs()) == {MAIN, "refs/heads/a"}


def test_a_deleted_history_takes_no_new_refs(database: Database) -> None:
    factory = SqlStoreFactory(database)
    store = factory.create("task")
    (head,) = write_line(store, MAIN, 1)
    factory.delete("task")
    with pytest.raises(BranchMoved):
        store.write(step(2), [RefMove(MAIN, head, head)])
    with pytest.raises(BranchMoved, match="deleted"):
        store.write(step(2), [RefMove("refs/heads/new", None, head)])
    with pytest.raises(BranchMoved, match="deleted"):
        store.raise_fence("refs/heads/new", 1)
    assert rows(database) == {"journal": 0, "segments": 0, "objects": 0}
    with database.read() as connection:
        assert connection.execute(select(refs)).first() is None


def test_numbers_of_deleted_segments_are_not_used_again(database: Database) -> None:
    """Else a cached segment of the old history would be read for the new one."""
    factory = SqlStoreFactory(database)
    factory.create("old").write(MANY)
    assert factory.open("old").read(MANY[0].oid) == MANY[0]
    factory.delete("old")
    others = [blob(f"other {number}") for number in range(SMALL_OBJECTS)]
    factory.create("new").write(others)
    assert factory.open("new").read(others[0].oid) == others[0]


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_task_id_has_a_length(sqlite: Database, name: str) -> None:
    with pytest.raises(InvalidValue, match="task id"):
        SqlStoreFactory(sqlite).create(name)


def test_prefixes_that_are_no_hex_find_nothing(sqlite: Database) -> None:
    store = SqlStoreFactory(sqlite).create("task")
    write_line(store, MAIN, 1)
    for prefix in ("main", "zzzz", "0" * 41, "é" * 4):
        assert store.find_commits(prefix) == []
