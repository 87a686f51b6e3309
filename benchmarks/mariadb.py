"""Workload A on a MariaDB or MySQL server, against commits by the driver alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import pymysql
from sqlalchemy.engine import URL

from app.db.engine import parse_url
from benchmarks.figures import Bench, Figure
from benchmarks.raw import ROW_BYTES
from benchmarks.samples import Samples
from benchmarks.workloads import new_variables

NAME = "A MariaDB"


def mariadb(bench: Bench) -> Iterator[Figure]:
    """Skipped, with a figure that says so, where no server answers."""
    server = parse_url(bench.mariadb)
    try:
        _connect(server).close()
    except pymysql.err.OperationalError as error:
        yield Figure(NAME, f"skipped, no server: {error.args[-1]}", (), "×")
        return
    with _database(server) as url:

        def raw(_folder: Path, count: int) -> float:
            return _commit_seconds(url, count)

        samples = Samples(
            bench, new_variables(bench.size(1_000)), raw=raw, url=url.render_as_string(hide_password=False)
        )
        yield Figure(NAME, "time a step, against a raw pymysql commit", samples.ratios, "×", 1.0)
        yield Figure(NAME, "stored a step, by the store's own count", samples.store_bytes, "bytes")


@contextmanager
def _database(server: URL) -> Iterator[URL]:
    """A database of a name nobody else uses, dropped afterwards."""
    name = f"stackvm_bench_{os.getpid()}_{secrets.token_hex(4)}"
    _execute(server, f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name)
    finally:
        _execute(server, f"DROP DATABASE {name}")


def _commit_seconds(url: URL, count: int) -> float:
    """Seconds of an insert and its commit, over ``count`` of them on a new table."""
    data = os.urandom(ROW_BYTES)
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS raw_commits")
        cursor.execute("CREATE TABLE raw_commits (id BIGINT AUTO_INCREMENT PRIMARY KEY, data BLOB NOT NULL)")
        start = perf_counter()
        for _ in range(count):
            cursor.execute("INSERT INTO raw_commits (data) VALUES (_binary %s)", (data,))
            connection.commit()
        return (perf_counter() - start) / count


def _execute(url: URL, statement: str) -> None:
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _connect(url: URL) -> Any:
    return pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
    )
