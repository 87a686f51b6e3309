"""What goes wrong with a database is told in one line, with what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databases import SERVERS, new_database
from sqlalchemy import text

from app.db import engine
from app.db.models import metadata
from app.db.session import Database, open_database
from app.errors import ConfigurationError, StackVMError, StorageError


@contextmanager
def opened(uri: str) -> Iterator[Database]:
    database = open_database(uri)
    try:
        yield database
    finally:
        database.close()


def failure(uri: str) -> StackVMError:
    """What using the database raises, by either way to it."""
    with opened(uri) as database:
        with pytest.raises(StorageError) as raised, database.read() as connection:
            connection.execute(text("SELECT 1 FROM sqlite_master"))
        with pytest.raises(StorageError) as again, database.write_cursor() as cursor:
            cursor.execute("SELECT 1 FROM sqlite_master")
    assert str(raised.value) == str(again.value)
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    return raised.value


def test_a_locked_file(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    with (
        sqlite.write() as connection,
        opened(f"sqlite:///{sqlite.engine.url.database}") as other,
    ):
        connection.execute(text("DELETE FROM refs"))
        with pytest.raises(StorageError, match=r"is locked.*try again"), other.write():
            pass
        with pytest.raises(StorageError, match="is locked"), other.write_cursor():
            pass


def test_a_read_only_file(sqlite: Database) -> None:
    sqlite.close()
    with opened(f"sqlite:///file:{sqlite.engine.url.database}?mode=ro&uri=true") as database:
        database.check_schema()
        with pytest.raises(StorageError, match=r"is read-only.*permissions"), database.write() as connection:
            connection.execute(text("DELETE FROM refs"))


def test_a_full_disk(sqlite: Database) -> None:
    with pytest.raises(StorageError, match=r"no space left.*free some"), sqlite.write() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        row = {"data": b"x" * 1_000_000}
        connection.execute(
            text("INSERT INTO segments (repository, raw_bytes, data) VALUES (1, 1, :data)"), row
        )
    with sqlite.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM segments")).scalar() == 0


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"a text of some length, but no database at all" * 100)
    assert "is not an SQLite database" in str(failure(f"sqlite:///{tmp_path}/x.db"))


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    assert "can't be opened" in str(failure(f"sqlite:///{tmp_path}"))


def test_a_folder_that_cant_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "the folder of database" in str(failure(f"sqlite:///{tmp_path}/file/x.db"))


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_a_server_that_is_not_there(scheme: str) -> None:
    error = failure(f"{scheme}://somebody:hidden@127.0.0.1:1/stackvm")
    assert "can't be reached" in str(error)
    assert "hidden" not in str(error)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_database_that_does_not_exist(kind: str, tmp_path: Path) -> None:
    with new_database(kind, tmp_path):  # skips where there is no server
        assert "does not exist (create it" in str(failure(f"{SERVERS[kind]}/stackvm_there_is_no_such"))


def test_a_user_the_server_does_not_know(tmp_path: Path) -> None:
    with new_database("mariadb", tmp_path) as url:
        assert "denies access" in str(failure(url.replace("root@", "somebody:hidden@")))


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_tables_that_are_missing(kind: str, tmp_path: Path) -> None:
    with new_database(kind, tmp_path) as url, opened(url) as database:
        for table in metadata.sorted_tables:
            with pytest.raises(ConfigurationError, match="make migrate"), database.read() as connection:
                connection.execute(table.select())
            with pytest.raises(ConfigurationError, match="make migrate"), database.read_cursor() as cursor:
                cursor.execute(f"SELECT * FROM {table.name}")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("var/stackvm.db", "not a database URL"),
        ("", "not a database URL"),
        ("oracle://x", "unknown kind of database: 'oracle'"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://x/y?ssl_verify_cert=maybe", "ssl_verify_cert is 'maybe'"),
    ],
)
def test_a_url_that_cant_be_used(uri: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URI") as raised:
        open_database(uri)
    assert said in raised.value.message
    assert raised.value.hint
