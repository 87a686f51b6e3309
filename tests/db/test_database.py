"""Transactions, the clock, and the check of the schema."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, select, text, update

from app.db.failures import TransactionLost
from app.db.models import alembic_version, leases, refs
from app.db.session import Database, open_database
from app.errors import ConfigurationError, StorageError

ROW = {"repository": 1, "name": "refs/heads/main", "target": b"\xff" * 20, "fence": 0}


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(refs.c.name)).scalars())


def test_a_write_is_there_afterwards(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(refs).values(ROW))
    assert names(database) == ["refs/heads/main"]


def test_a_write_that_raises_never_happened(database: Database) -> None:
    with pytest.raises(KeyError), database.write() as connection:
        connection.execute(insert(refs).values(ROW))
        raise KeyError
    with pytest.raises(KeyError), database.write_cursor() as cursor:
        cursor.execute(database.prepare(insert(refs), *ROW), tuple(ROW.values()))
        raise KeyError
    assert names(database) == []


def test_the_drivers_cursor_writes_as_well(database: Database) -> None:
    with database.write_cursor() as cursor:
        cursor.execute(database.prepare(insert(refs), *ROW), tuple(ROW.values()))
        assert cursor.rowcount == 1
    with database.read_cursor() as cursor:
        cursor.execute(database.prepare(select(refs.c.target, refs.c.fence)))
        assert cursor.fetchall() in ([(b"\xff" * 20, 0)], ((b"\xff" * 20, 0),))


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_never_happened_and_the_next_one_works(
    database: Database, exception: type[BaseException]
) -> None:
    with pytest.raises(exception), database.write_cursor() as cursor:
        cursor.execute(database.prepare(insert(refs), *ROW), tuple(ROW.values()))
        raise exception
    with pytest.raises(exception), database.write() as connection:
        connection.execute(insert(refs).values(ROW))
        raise exception
    assert names(database) == []
    with database.write() as connection:
        connection.execute(insert(refs).values(ROW))


def test_a_statement_is_prepared_for_the_parameters_in_their_order(database: Database) -> None:
    with pytest.raises(ValueError, match="parameters"):
        database.prepare(insert(refs), "name", "repository", "target", "fence")


def test_readers_see_what_was_there_before_an_open_write(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(refs).values(ROW))
        assert names(database) == []


def test_work_the_database_gave_up_is_done_again(database: Database) -> None:
    calls = []

    def work(connection: object) -> str:
        calls.append(connection)
        if len(calls) < 3:
            raise TransactionLost("given up")
        return "done"

    assert database.transact(work) == "done"
    assert len(calls) == 3


def test_two_writers_that_cross_both_come_through(database: Database) -> None:
    """Each updates two rows, in opposite orders: one of them is given up by the database, and tries again."""
    with database.write() as connection:
        for name in "ab":
            values = {"task_id": "t", "branch": name, "owner": None, "expires_ms": 0, "fence": 0}
            connection.execute(insert(leases).values(values))
    meeting = threading.Barrier(2)

    def cross(first: str, second: str) -> None:
        waited = []

        def work(connection: object) -> None:
            for name in (first, second):
                statement = update(leases).where(leases.c.branch == name)
                connection.execute(statement.values(fence=leases.c.fence + 1))  # type: ignore[attr-defined]
                if not waited and database.kind != "sqlite":  # there the other can't even begin
                    waited.append(meeting.wait())

        database.transact(work)

    threads = [threading.Thread(target=cross, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert list(connection.execute(select(leases.c.fence)).scalars()) == [2, 2]


def test_the_clock_is_in_milliseconds_and_right(database: Database) -> None:
    with database.read() as connection:
        now = database.now_ms(connection)
    assert abs(now - time.time() * 1000) < 2000


def test_the_clock_moves_within_a_transaction(database: Database) -> None:
    with database.write() as connection:
        before = database.now_ms(connection)
        time.sleep(0.02)
        assert 15 <= database.now_ms(connection) - before < 2000


def test_a_schema_of_this_version_is_right(database: Database) -> None:
    database.check_schema()


@pytest.mark.parametrize(
    ("revision", "said", "hint"),
    [("0000", "older", "make migrate"), ("9999", "newer", "later"), (None, "not migrated", "make migrate")],
)
def test_another_schema_is_told(sqlite: Database, revision: str | None, said: str, hint: str) -> None:
    with sqlite.write() as connection:
        connection.execute(alembic_version.delete())
        if revision is not None:
            connection.execute(insert(alembic_version).values(version_num=revision))
    with pytest.raises(ConfigurationError, match=said) as raised:
        sqlite.check_schema()
    assert hint in str(raised.value)


def test_an_empty_database_is_not_migrated(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/new/folder/x.db")
    with pytest.raises(ConfigurationError, match=r"not migrated.*make migrate"):
        database.check_schema()
    with pytest.raises(ConfigurationError, match="not migrated"):
        names(database)
    database.close()


def test_opening_touches_nothing(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/folder/x.db").close()
    assert list(tmp_path.iterdir()) == []
    open_database("mysql://nobody@127.0.0.1:1/x").close()


def test_sqlite_is_durable_and_keeps_its_rules(sqlite: Database) -> None:
    with sqlite.read() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15000}


def test_sqlite_takes_the_lock_at_the_begin_of_a_write(sqlite: Database) -> None:
    """A second writer waits at its begin, and then sees what the first wrote: nothing fails halfway."""
    seen: list[list[str]] = []

    def second() -> None:
        with sqlite.write() as connection:
            seen.append(list(connection.execute(select(refs.c.name)).scalars()))

    with sqlite.write() as connection:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        assert not seen
        connection.execute(insert(refs).values(ROW))
    thread.join()
    assert seen == [["refs/heads/main"]]


def test_the_write_ahead_log_is_folded_in_at_exit(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    program = (
        "from app.db.session import open_database\n"
        f"database = open_database('sqlite:///{path}')\n"
        "with database.write() as connection:\n"
        "    connection.exec_driver_sql('CREATE TABLE t (x INTEGER)')\n"
        f"assert __import__('pathlib').Path('{path}-wal').exists()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    left = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert left.pop("x.db") > 0
    assert left == {"x.db-gate": 0, "x.db-turn": 0}  # locks: others may be waiting at them


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    program = (
        "from app.db.session import open_database\n"
        f"database = open_database('sqlite:///{tmp_path}/x.db')\n"
        "with database.write() as connection:\n"
        "    connection.exec_driver_sql('CREATE TABLE IF NOT EXISTS t (x INTEGER)')\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2]) for _ in range(4)
    ]
    assert [process.wait() for process in started] == [0, 0, 0, 0]


def test_nothing_waits_forever_for_a_connection(sqlite: Database) -> None:
    narrow = Database(create_engine(sqlite.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01))
    with narrow.read(), pytest.raises(StorageError, match="no connection in time"):
        names(narrow)
    narrow.close()


def test_ctrl_c_while_a_connection_is_given_back_writes_no_traceback(tmp_path: Path) -> None:
    program = f"""
from app.db.session import open_database
database = open_database("sqlite:///{tmp_path}/test.db")
def interrupted(connection):
    raise KeyboardInterrupt
try:
    with database.read_cursor():
        database.engine.dialect.do_rollback = interrupted
except KeyboardInterrupt:
    del database.engine.dialect.do_rollback
    print("interrupted")
"""
    command = [sys.executable, "-c", program]
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
