"""The unit: one durable raw SQLite commit. Only the standard library, so that the peers measure the same."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Final

ROW_BYTES: Final = 300

_LOG_FULL: Final = 1_200
"""Commits after which SQLite writes over its log instead of making it longer, which a disk does more quickly."""


def raw_commit_seconds(folder: Path, count: int) -> float:
    """Seconds one commit takes, over ``count`` of them on a new database (WAL, ``synchronous=FULL``).

    A log that still grows costs more a commit than one that is written over (:func:`settled_commit_seconds`). A run
    begins with a new one, so this is the unit.
    """
    with closing(_new_table(folder)) as connection:
        return _commit_seconds(connection, count)


def settled_commit_seconds(folder: Path, count: int) -> float:
    """As :func:`raw_commit_seconds`, on a log that has reached its size: the least a commit can cost."""
    with closing(_new_table(folder)) as connection:
        _commit_seconds(connection, _LOG_FULL)
        return _commit_seconds(connection, count)


def _new_table(folder: Path) -> sqlite3.Connection:
    path = folder / "raw.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE raw (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")
    return connection


def _commit_seconds(connection: sqlite3.Connection, count: int) -> float:
    data = os.urandom(ROW_BYTES)
    start = perf_counter()
    for _ in range(count):
        connection.execute("INSERT INTO raw (data) VALUES (?)", (data,))
    return (perf_counter() - start) / count
