from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import KINDS, shared_database
from sqlalchemy import update

from app.db.base import TaskRow, TaskRows
from app.db.feed import STALE_MS, Deletion, LiveRow, SqlFeed
from app.db.models import live
from app.db.session import Database, open_database
from app.db.tasks import SqlTasks


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = open_database(shared_database(request.param, tmp_path))
    yield opened
    opened.close()


def row(task_id: str, updated_ms: int = 1_000, namespace: str | None = None) -> TaskRow:
    return TaskRow(task_id, "goal", namespace, "queued", "sql", "main", updated_ms, updated_ms)


def test_what_is_under_way_is_replaced_and_goes(database: Database) -> None:
    feed = SqlFeed(database)
    feed.put_live([LiveRow("a", "main", "1"), LiveRow("a", "other", "2"), LiveRow("b", "main", "3")])
    feed.put_live([LiveRow("a", "main", "4")], [("a", "other")])
    assert feed.live(["a", "b", "c"]) == {"a": {"main": "4"}, "b": {"main": "3"}}
    feed.put_live([], [("b", "main")])
    assert feed.live(["b"]) == {}


def test_what_a_dead_worker_left_is_not_under_way(database: Database) -> None:
    feed = SqlFeed(database)
    feed.put_live([LiveRow("a", "main", "1"), LiveRow("b", "main", "2")])
    with database.write() as connection:
        older = live.c.updated_ms - STALE_MS - 1
        connection.execute(update(live).where(live.c.task_id == "a").values(updated_ms=older))
    assert feed.live(["a", "b"]) == {"b": {"main": "2"}}
    with database.write() as connection:
        connection.execute(update(live).values(updated_ms=live.c.updated_ms - 4_000_000))
    feed.clear_live()
    with database.read() as connection:
        assert connection.execute(live.select()).all() == []


def test_what_was_deleted_is_told_for_an_hour(database: Database) -> None:
    tasks, feed = SqlTasks(database), SqlFeed(database)
    for number, namespace in enumerate((None, "odd", None)):
        tasks.create(row(f"t{number}", namespace=namespace))
        tasks.delete(f"t{number}", 2_000 + number)
    tasks.delete("t0", 3_000)
    tasks.delete("never was", 3_000)
    first, odd, last = Deletion("t0", None, 2_000), Deletion("t1", "odd", 2_001), Deletion("t2", None, 2_002)
    assert feed.deleted(0, None) == [first, odd, last]
    assert feed.deleted(2_001, None) == [odd, last]
    assert feed.deleted(0, "odd") == [odd]
    assert feed.live(["t0", "t1"]) == {}
    tasks.restore(TaskRows(row("t1"), [], [], {}))  # an import brings it back
    assert feed.deleted(0, None) == [first, last]
    with database.write() as connection:
        connection.execute(update(live).values(updated_ms=live.c.updated_ms - 4_000_000))
    feed.clear_live()
    assert feed.deleted(0, None) == []


def test_many_tasks_are_read_at_once(database: Database) -> None:
    tasks, feed = SqlTasks(database), SqlFeed(database)
    ids = [f"task-{number}" for number in range(20)]
    for task_id in ids:
        tasks.create(row(task_id))
    found = feed.read([*ids, *(f"no-{number}" for number in range(1_200))])
    assert sorted(found) == sorted(ids)
    assert found["task-3"].branches["main"].status == "queued" and found["task-3"].heads == {}
    assert not found["task-3"].has_job


def test_the_newest_changes_come_oldest_first(database: Database) -> None:
    tasks, feed = SqlTasks(database), SqlFeed(database)
    for number in range(5):
        tasks.create(row(f"t{number}", 1_000 + number, "odd" if number % 2 else None))
    assert [each.id for each in feed.changed(1_001, None, 2)] == ["t3", "t4"]
    assert [each.id for each in feed.changed(0, "odd", 10)] == ["t1", "t3"]
    assert feed.statuses() == {"queued": 5}
