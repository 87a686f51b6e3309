"""Databases to test on: SQLite files, and databases with names of their own on MariaDB and PostgreSQL.

``KINDS`` is what to parametrize over. ``new_database(kind)`` is a context that gives the URL of one without tables
and removes it afterwards; ``create_schema`` makes the tables, ``empty_tables`` takes all rows, so that one database
serves many tests. ``shared_database`` does all of it, ``history_opener`` opens histories in one. A server that is
not there skips the test; where ``CI`` is set the test fails.
"""

from __future__ import annotations

import atexit
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import OperationalError

from app.db.engine import parse_url
from app.db.models import SCHEMA_REVISION, alembic_version, metadata
from app.db.session import Database, open_database
from app.history.sql_store import SqlStoreFactory

KINDS = ["sqlite", "mariadb", "postgresql"]

SERVERS = {
    "mariadb": os.environ.get("TEST_MARIADB_SERVER", "mysql://root@127.0.0.1:3306"),
    "postgresql": os.environ.get("TEST_POSTGRESQL_SERVER", "postgresql://postgres@127.0.0.1:5432"),
}


@contextmanager
def new_database(kind: str, folder: Path | None = None) -> Iterator[str]:
    """The URL of a database without tables, which is gone after the block."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(dir=folder) as path:
            yield f"sqlite:///{path}/test.db"
        return
    name = f"stackvm_test_{os.getpid()}_{secrets.token_hex(4)}"
    _on_server(kind, f"CREATE DATABASE {name}")
    try:
        yield f"{SERVERS[kind]}/{name}"
    finally:
        # Connections that a test left to the garbage collector must not keep it.
        _on_server(kind, f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


def shared_database(kind: str, folder: Path) -> str:
    """The URL of a database with all tables and no rows: a file of its own, or this process's one on a server."""
    if kind == "sqlite":
        url = f"sqlite:///{folder}/{secrets.token_hex(4)}.db"
        database = open_database(url)
        create_schema(database)
    else:
        url = _server_database(kind)
        database = open_database(url)
        empty_tables(database)
    database.close()
    return url


def history_opener(kind: str, folder: Path) -> Callable[[], SqlStoreFactory]:
    """Opens a store factory on one empty database, each time as another process would; can be sent to one."""
    return partial(_open_history, shared_database(kind, folder))


def create_schema(database: Database) -> None:
    """The tables as the migrations make them; a test of the migrations compares the two."""
    with database.write() as connection:
        metadata.create_all(connection)
        alembic_version.create(connection)
        connection.execute(insert(alembic_version).values(version_num=SCHEMA_REVISION))


def empty_tables(database: Database) -> None:
    """Delete every row: quicker than making another database."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


def _open_history(url: str) -> SqlStoreFactory:
    return SqlStoreFactory(open_database(url))


@cache
def _server_database(kind: str) -> str:
    until_exit = ExitStack()
    url = until_exit.enter_context(new_database(kind))
    atexit.register(until_exit.close)
    database = open_database(url)
    create_schema(database)
    database.close()
    return url


def _on_server(kind: str, statement: str) -> None:
    url = parse_url(SERVERS[kind])
    if kind == "postgresql":
        url = url.set(database="postgres")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except OperationalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no {kind} server: {error.orig}")
    finally:
        engine.dispose()
