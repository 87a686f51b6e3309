"""Several operations as one transaction."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from app.db.base import TaskRow
from app.db.failures import DatabaseAway, TransactionLost
from app.db.jobs import SqlJobs
from app.db.serving import Job
from app.db.session import Database
from app.db.task_lists import SqlTaskLists
from app.db.tasks import SqlTasks
from app.errors import Busy, NotFound
from app.history.base import Kind, RawObject, RefMove, object_id
from app.history.sql_store import SqlStoreFactory

TASK = TaskRow(
    id="0a1b",
    goal="all of it or nothing",
    namespace=None,
    status="queued",
    store="sql",
    current_branch="main",
    created_ms=1_700_000_000_123,
    updated_ms=1_700_000_000_123,
)
CONTENT = b"an object"
OBJECT = RawObject(object_id(Kind.BLOB, CONTENT), Kind.BLOB, CONTENT)
TREE = RawObject(object_id(Kind.TREE, b""), Kind.TREE, b"")


def commit() -> RawObject:
    content = b"tree %s\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx" % TREE.oid.hex().encode()
    return RawObject(object_id(Kind.COMMIT, content), Kind.COMMIT, content)


class Everything:
    """What a submission writes, by way of each adapter."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tasks, self.jobs = SqlTasks(database), SqlJobs(database)
        self.lists, self.stores = SqlTaskLists(database), SqlStoreFactory(database)

    def write(self, *, most: int = 10) -> None:
        store = self.stores.create(TASK.id)
        head = commit()
        store.write([OBJECT, TREE, head], [RefMove("refs/heads/main", None, head.oid)])
        self.tasks.create(TASK)
        self.lists.set_tags(TASK.id, ["one"])
        self.jobs.put(Job(TASK.id, "main"), most=most)
        assert self.is_whole()  # within, one sees what one wrote
        store.close()

    def is_whole(self) -> bool:
        store = self.stores.open(TASK.id)
        has_history = store.read(OBJECT.oid) == OBJECT
        store.close()
        is_listed = self.tasks.get(TASK.id) == TASK and self.lists.tags(TASK.id) == ("one",)
        return has_history and is_listed and self.jobs.has(TASK.id, "main")

    def is_nothing(self) -> bool:
        with pytest.raises(NotFound):
            self.stores.open(TASK.id)
        return not self.tasks.has(TASK.id) and not self.jobs.has(TASK.id, "main")


@pytest.fixture
def all_of_it(database: Database) -> Everything:
    return Everything(database)


def test_what_is_written_together_is_there_at_the_end(all_of_it: Everything) -> None:
    assert all_of_it.is_nothing()
    all_of_it.database.together(lambda _: all_of_it.write())
    assert all_of_it.is_whole()


def test_an_error_at_the_last_of_it_keeps_nothing(all_of_it: Everything) -> None:
    with pytest.raises(Busy):
        all_of_it.database.together(lambda _: all_of_it.write(most=0))
    assert all_of_it.is_nothing()
    all_of_it.database.together(lambda _: all_of_it.write())  # and nothing stands in the way of another try
    assert all_of_it.is_whole()


def test_others_see_it_when_it_is_over(all_of_it: Everything) -> None:
    written, looked = threading.Event(), threading.Event()

    def work(_: bool) -> None:
        all_of_it.write()
        written.set()
        assert looked.wait(30)

    writer = threading.Thread(target=all_of_it.database.together, args=(work,))
    writer.start()
    assert written.wait(30)
    assert all_of_it.is_nothing()  # this thread's operations are no part of it
    looked.set()
    writer.join()
    assert all_of_it.is_whole()


def test_one_within_another_is_part_of_it(all_of_it: Everything) -> None:
    database = all_of_it.database

    def work(_: bool) -> None:
        database.together(lambda _: all_of_it.write())
        raise KeyError

    with pytest.raises(KeyError):
        database.together(work)
    assert all_of_it.is_nothing()


@pytest.mark.parametrize("lost", [TransactionLost("a deadlock"), DatabaseAway("gone")])
def test_all_of_it_is_done_again_where_the_transaction_was_lost(
    all_of_it: Everything, lost: Exception
) -> None:
    all_of_it.tasks.has("x")  # a database that has not answered yet is not waited for
    tries = []

    def work(in_doubt: bool) -> str:
        tries.append(in_doubt)
        all_of_it.write()
        if len(tries) == 1:
            raise lost
        return "done"

    assert all_of_it.database.together(work) == "done"
    assert tries == [False, False]
    assert all_of_it.is_whole()


def test_who_can_not_know_whether_it_happened_is_told(all_of_it: Everything) -> None:
    all_of_it.tasks.has("x")
    tries = []

    def work(in_doubt: bool) -> None:
        tries.append(in_doubt)
        if len(tries) == 1:
            away = DatabaseAway("gone amid COMMIT")
            away.in_doubt = True
            raise away

    all_of_it.database.together(work)
    assert tries == [False, True]


def test_the_next_operation_is_its_own_transaction(all_of_it: Everything) -> None:
    with pytest.raises(Busy):
        all_of_it.database.together(lambda _: all_of_it.write(most=0))
    all_of_it.tasks.create(replace(TASK, id="other"))
    with pytest.raises(KeyError):
        all_of_it.database.together(lambda _: {}["x"])
    assert all_of_it.tasks.has("other")
