"""Tasks and branches in the database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from app.db.base import Attempt, BranchRow, FinishedEffect, Progress, TaskRow, TaskRows
from app.db.checksums import is_sound
from app.db.jobs import SqlJobs
from app.db.leases import SqlLeases
from app.db.ledger import SqlLedger
from app.db.models import comments, live, metadata, proposals
from app.db.models import tasks as tasks_table
from app.db.serving import Job
from app.db.session import Database
from app.db.task_lists import SqlTaskLists
from app.db.tasks import SqlTasks
from app.errors import Ambiguous, Conflict, NotFound, StorageError
from app.history.base import Kind, RawObject, RefMove, object_id
from app.history.sql_store import SqlStoreFactory

TASK = TaskRow(
    id="0a1b",
    goal="Count the modules",
    namespace="files",
    status="queued",
    store="sql",
    current_branch="main",
    created_ms=1_700_000_000_123,
    updated_ms=1_700_000_000_123,
)

FOUR = Progress(4, 6, 1_500, '{"cost": 0.25}')


def progress(row: TaskRow) -> Progress:
    assert row.worked_ms is not None and row.usage is not None
    return Progress(row.steps, row.planned_steps, row.worked_ms, row.usage)


@pytest.fixture
def tasks(database: Database) -> SqlTasks:
    return SqlTasks(database)


def numbered(number: int, **changes: object) -> TaskRow:
    return replace(TASK, id=f"task-{number}", created_ms=TASK.created_ms + number, **changes)


def test_a_task_is_kept_as_it_was_made(tasks: SqlTasks) -> None:
    odd = replace(
        TASK, id="other", goal="Größe: \U0001f40d\n'\"\\", namespace=None, error="it\nbroke", steps=7
    )
    for row in (TASK, odd):
        tasks.create(row)
        assert tasks.get(row.id) == row


def test_a_goal_may_hold_what_a_database_refuses(tasks: SqlTasks) -> None:
    tasks.create(replace(TASK, goal="nul \0 half \ud800 " + "x" * 100_000))
    assert tasks.get(TASK.id).goal.endswith("x" * 100_000)


def test_an_id_is_given_once(tasks: SqlTasks) -> None:
    tasks.create(TASK)
    with pytest.raises(Conflict, match=TASK.id):
        tasks.create(replace(TASK, goal="another"))
    assert tasks.get(TASK.id) == TASK


def test_a_new_task_has_its_branch(tasks: SqlTasks) -> None:
    tasks.create(TASK)
    assert tasks.branches(TASK.id) == [BranchRow("main", "queued", TASK.created_ms)]


def test_says_that_a_task_is_not_there(tasks: SqlTasks) -> None:
    for look in (tasks.get, tasks.find):
        for name in ("0a1b", "", "%", "\0", "\ud800"):
            with pytest.raises(NotFound):
                look(name)


def test_finds_a_task_by_the_beginning_of_its_id(tasks: SqlTasks) -> None:
    for name in ("abcd", "abzz", "Abc", "ab_"):
        tasks.create(replace(TASK, id=name))
    assert tasks.find("abc").id == "abcd"
    assert tasks.find("A").id == "Abc"
    assert tasks.find("ab_").id == "ab_"
    with pytest.raises(Ambiguous) as raised:
        tasks.find("ab")
    assert sorted(raised.value.candidates) == ["ab_", "abcd", "abzz"]


def test_a_whole_id_wins_over_a_longer_one(tasks: SqlTasks) -> None:
    tasks.create(replace(TASK, id="ab"))
    tasks.create(replace(TASK, id="abc"))
    assert tasks.find("ab").id == "ab"


def test_lists_the_newest_first(tasks: SqlTasks) -> None:
    for number in (2, 1, 3):
        tasks.create(numbered(number, status="failed" if number == 3 else "completed"))
    assert [row.id for row in tasks.list()] == ["task-3", "task-2", "task-1"]
    assert [row.id for row in tasks.list(limit=2)] == ["task-3", "task-2"]
    assert [row.id for row in tasks.list(status="completed")] == ["task-2", "task-1"]
    assert tasks.list(status="paused") == []


def test_of_tasks_made_in_one_millisecond_the_later_is_newer(tasks: SqlTasks) -> None:
    for name in ("b", "a", "c"):
        tasks.create(replace(TASK, id=name))
    assert [row.id for row in tasks.list()] == ["c", "a", "b"]


def test_a_run_is_noted_with_its_branch(tasks: SqlTasks) -> None:
    tasks.create(TASK)
    tasks.note_run(TASK.id, "main", "failed", 1_700_000_001_000, progress=FOUR, error="it broke")
    tasks.note_run(TASK.id, "fork", "running", 1_700_000_002_000)
    row = tasks.get(TASK.id)
    assert (row.current_branch, row.status, row.updated_ms) == ("fork", "running", 1_700_000_002_000)
    assert (row.error, row.branches) == (None, 2)
    assert progress(row) == FOUR
    assert tasks.branches(TASK.id) == [
        BranchRow("fork", "running", 1_700_000_002_000),
        BranchRow("main", "failed", TASK.created_ms),
    ]


def test_noting_a_branch_again_keeps_when_it_was_made(tasks: SqlTasks) -> None:
    tasks.create(TASK)
    tasks.note_branch(TASK.id, "fork", "paused", 5)
    tasks.note_branch(TASK.id, "fork", "completed", 9)
    assert tasks.branches(TASK.id)[0] == BranchRow("fork", "completed", 5)


def test_the_task_takes_over_the_status_of_its_current_branch(tasks: SqlTasks) -> None:
    tasks.create(TASK)
    tasks.note_branch(TASK.id, "fork", "paused", 5)
    tasks.set_current_branch(TASK.id, "fork", 7, FOUR)
    row = tasks.get(TASK.id)
    assert (row.current_branch, row.status, row.updated_ms, progress(row)) == ("fork", "paused", 7, FOUR)
    tasks.set_current_branch(TASK.id, "main", 8)
    assert progress(tasks.get(TASK.id)) == FOUR


def test_how_far_a_run_is_is_noted_of_the_current_branch_alone(tasks: SqlTasks, database: Database) -> None:
    tasks.create(TASK)
    tasks.note_run(TASK.id, "main", "running", 5)
    tasks.note_progress(TASK.id, "main", FOUR, 9)
    row = tasks.get(TASK.id)
    assert (row.status, row.updated_ms, progress(row)) == ("running", 9, FOUR)
    tasks.note_progress(TASK.id, "fork", FOUR._replace(steps=5), 10)
    tasks.note_progress("absent", "main", FOUR, 11)
    assert tasks.get(TASK.id) == row
    with database.read() as connection:
        stored = connection.execute(select(tasks_table)).mappings().one()
    assert is_sound(tasks_table, dict(stored))


def test_branches_that_come_and_go_change_the_task(tasks: SqlTasks) -> None:
    tasks.create(TASK)
    tasks.note_branch(TASK.id, "fork", "paused", 5)
    assert (tasks.get(TASK.id).branches, tasks.get(TASK.id).updated_ms) == (2, 5)
    tasks.delete_branch(TASK.id, "fork", 6)
    assert (tasks.get(TASK.id).branches, tasks.get(TASK.id).updated_ms) == (1, 6)


def test_nothing_is_noted_of_a_task_that_is_not_there(tasks: SqlTasks) -> None:
    with pytest.raises(NotFound):
        tasks.note_run("absent", "main", "running", 1)
    with pytest.raises(NotFound):
        tasks.note_branch("absent", "main", "running", 1)
    with pytest.raises(NotFound):
        tasks.set_current_branch("absent", "main", 1)
    assert tasks.branches("absent") == []


def test_a_branch_that_is_made_again_goes_on_with_higher_fences(tasks: SqlTasks, database: Database) -> None:
    leases = SqlLeases(database)
    tasks.create(TASK)
    tasks.note_branch(TASK.id, "fork", "paused", 5)
    fence = leases.acquire(TASK.id, "fork", "me", 30)
    tasks.delete_branch(TASK.id, "fork", 6)
    assert [row.name for row in tasks.branches(TASK.id)] == ["main"]
    assert leases.holder(TASK.id, "fork") is None
    assert leases.acquire(TASK.id, "fork", "you", 30) > fence


def test_deleting_a_task_leaves_no_row_of_it(tasks: SqlTasks, database: Database) -> None:
    fill(database, TASK.id)
    before = {table.name: count(database, table.name) for table in metadata.sorted_tables}
    fill(database, "kept")
    tasks.delete("kept")
    # But for the word to those who watch the list, which is cleared away after an hour.
    before["live"] += 1
    assert {table.name: count(database, table.name) for table in metadata.sorted_tables} == before
    tasks.delete("kept")
    tasks.delete(TASK.id)
    assert [name for name in before if count(database, name)] == ["live"]


def fill(database: Database, task_id: str) -> None:
    """At least one row of the task in each table but those that have no task's."""
    SqlTasks(database).create(replace(TASK, id=task_id))
    _serve(database, task_id)
    SqlLeases(database).acquire(task_id, "main", "me", 30)
    ledger = SqlLedger(database, task_id)
    ledger.begin(Attempt("a" * 64, "main", 1, 1, None, "tool", "b" * 64, 1, 1, "begun", None))
    ledger.save_effects("main", [FinishedEffect(1, 1, 0, "hash", b"x")])
    store = SqlStoreFactory(database).create(task_id)
    texts = [b"%d" % number for number in range(600)]
    blobs = [RawObject(object_id(Kind.BLOB, text), Kind.BLOB, text) for text in texts]
    store.write(blobs, [RefMove("refs/heads/main", None, blobs[0].oid)])
    store.write([RawObject(object_id(Kind.BLOB, b"small"), Kind.BLOB, b"small")])
    with database.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in NO_TASKS:
                assert connection.execute(table.select()).first() is not None, table.name


NO_TASKS = ("namespaces", "api_keys", "requests", "audit")


def _serve(database: Database, task_id: str) -> None:
    """What a server knows of it."""
    SqlTaskLists(database).set_tags(task_id, ["a", "b"])
    SqlJobs(database).put(Job(task_id, "main"))
    proposal = {
        "task_id": task_id,
        "branch": "main",
        "base": "0" * 40,
        "plan": "{}",
        "origin": "{}",
        "options": "{}",
        "status": "open",
        "created_by": "ann",
        "created_ms": 1,
        "updated_ms": 1,
    }
    with database.write() as connection:
        number = connection.execute(insert(proposals).values(proposal)).inserted_primary_key
        assert number is not None
        comment = {"proposal": number[0], "author": "ann", "body": "why", "created_ms": 1}
        connection.execute(insert(comments).values(comment))
        connection.execute(insert(live).values(task_id=task_id, branch="main", updated_ms=1, data="{}"))


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one())


def restored(**changes: object) -> TaskRows:
    attempt = Attempt("a" * 64, "main", 3, 1, 2, "send", "b" * 64, 1, 5, "raised", "nul \0 half \ud800")
    effect = FinishedEffect(3, 1, -1, "c" * 64, b"\0\xff")
    rows = TaskRows(
        replace(TASK, status="waiting", updated_ms=TASK.created_ms + 9, steps=7, error="why"),
        [BranchRow("main", "waiting", 5), BranchRow("try/1", "paused", 6, "main", "d" * 40)],
        [attempt, attempt._replace(number=2, item=None, error=None)],
        {"main": [effect, effect._replace(item=4, outcome=b"x" * 100_000)], "try/1": [effect]},
    )
    return replace(rows, **changes)


def test_a_task_is_restored_with_all_that_was_known_of_it(tasks: SqlTasks, database: Database) -> None:
    rows = restored()
    tasks.restore(rows)
    assert tasks.get(TASK.id) == replace(rows.task, branches=2)
    assert tasks.branches(TASK.id) == rows.branches
    ledger = SqlLedger(database, TASK.id)
    first, second = ledger.attempts("a" * 64)
    assert first == rows.attempts[0]._replace(error="nul \ufffd half ?")
    assert second == rows.attempts[1]
    for branch, effects in rows.effects.items():
        assert sorted(ledger.branch_effects(branch)) == sorted(effects)
    tasks.delete(TASK.id)
    tasks.restore(replace(rows, branches=[], attempts=[], effects={}))
    assert (tasks.branches(TASK.id), ledger.branch_attempts("main"), ledger.branch_effects("main")) == (
        [],
        [],
        [],
    )


def test_what_is_restored_takes_no_ones_place(tasks: SqlTasks, database: Database) -> None:
    tasks.create(TASK)
    ledger = SqlLedger(database, TASK.id)
    with pytest.raises(Conflict, match=TASK.id):
        tasks.restore(restored())
    assert tasks.get(TASK.id) == TASK
    assert ledger.branch_attempts("main") == []


def test_what_was_left_of_a_task_of_that_id_is_gone(tasks: SqlTasks, database: Database) -> None:
    rows = restored()
    ledger = SqlLedger(database, TASK.id)
    ledger.begin(rows.attempts[0]._replace(state="begun"))
    ledger.save_effects("old", rows.effects["main"])
    SqlLeases(database).acquire(TASK.id, "main", "somebody", 60)
    tasks.restore(rows)
    assert [attempt.state for attempt in ledger.branch_attempts("main")] == ["raised", "raised"]
    assert ledger.branch_effects("old") == []
    assert SqlLeases(database).holder(TASK.id, "main") is None


def test_a_task_that_can_t_be_restored_leaves_nothing(tasks: SqlTasks, database: Database) -> None:
    rows = restored()
    with pytest.raises(StorageError):
        tasks.restore(replace(rows, attempts=[*rows.attempts, rows.attempts[0]]))
    with pytest.raises(NotFound):
        tasks.get(TASK.id)
    assert SqlLedger(database, TASK.id).branch_attempts("main") == []
