"""The way to the database: whole transactions, errors a person can read, the database's own clock."""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import URL, ClauseElement, Connection, Engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.db.engine import make_engine
from app.db.failures import TransactionLost, explain, not_migrated
from app.db.models import SCHEMA_REVISION, alembic_version
from app.errors import ConfigurationError

Result = TypeVar("Result")

_NOW_MS: Final = {
    # 2440587.5 is the Julian day of the epoch.
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    # By way of UTC: UNIX_TIMESTAMP(NOW(3)) is wrong in the hour that daylight saving repeats.
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}

_TRIES: Final = 8


def open_database(uri: str) -> Database:
    """The database at ``uri``; connects when first used. Raises ``ConfigurationError`` for a wrong URI."""
    return Database(make_engine(uri))


class Database:
    """One database. Safe to share between threads; not between processes made by fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.kind: str = engine.dialect.name
        """``sqlite``, ``mysql`` (MariaDB and TiDB too) or ``postgresql``."""
        self.where = _place(engine.url)
        """Which database it is, for people: no password, no parameters."""
        self._writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._driver_errors: tuple[type[Exception], ...] = (DBAPIError, PoolTimeout, _driver_error(engine))
        # At exit too: closing SQLite's last connection folds the write-ahead log into the file.
        self._finalizer = weakref.finalize(self, engine.dispose)

    def close(self) -> None:
        """Let go of all connections. Using the database again connects anew."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite it waits for no writer. Raises ``StorageError``."""
        with self._explained(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: durable at the end of the block, or it never happened. Raises ``StorageError``."""
        with self._explained(), self._writing.begin() as connection:
            yield connection

    def transact(self, work: Callable[[Connection], Result]) -> Result:
        """Do ``work`` in a write transaction; again from its beginning where the database gave it up."""

        def once() -> Result:
            with self.write() as connection:
                return work(connection)

        return retry_lost(once)

    @contextmanager
    def read_cursor(self) -> Iterator[Any]:
        """The driver's own cursor, for hot paths. On SQLite every statement sees its own snapshot."""
        with self._cursor() as (_, cursor):
            yield cursor

    @contextmanager
    def write_cursor(self) -> Iterator[Any]:
        """As :meth:`write`, with the driver's own cursor: about 50 µs less a transaction."""
        with self._cursor() as (connection, cursor):
            if self.kind == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            connection.commit()

    @contextmanager
    def _cursor(self) -> Iterator[tuple[Any, Any]]:
        with self._explained():
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                yield connection, cursor
                cursor.close()
            except Exception:
                connection.rollback()
                raise
            except BaseException:
                # Interrupted, maybe amid an answer of the server: this connection can't be trusted any more.
                connection.invalidate()
                raise
            finally:
                connection.close()

    def prepare(self, statement: ClauseElement, *parameters: str) -> str:
        """The driver's SQL of ``statement``; it takes its parameters as a tuple in the order given here."""
        compiled: Any = statement.compile(dialect=self.engine.dialect)
        if tuple(compiled.positiontup) != parameters:
            raise ValueError(f"parameters are {compiled.positiontup}, not {parameters}: {compiled}")
        return str(compiled)

    def now_ms(self, connection: Connection) -> int:
        """The database's clock: milliseconds since the epoch."""
        return int(connection.exec_driver_sql(f"SELECT {_NOW_MS[self.kind]}").scalar_one())

    def check_schema(self) -> None:
        """Raise ``ConfigurationError`` unless the schema is the one this version works with."""
        with self.read() as connection:
            if not inspect(connection).has_table(alembic_version.name):
                raise not_migrated()
            revision = connection.execute(select(alembic_version.c.version_num)).scalar()
        if revision is None:
            raise not_migrated()
        if revision < SCHEMA_REVISION:
            raise not_migrated(f"the database is at revision {revision}, older than {SCHEMA_REVISION}")
        if revision > SCHEMA_REVISION:
            raise ConfigurationError(
                f"the database is at revision {revision}, newer than this version's {SCHEMA_REVISION}",
                hint="use the version of StackVM that migrated it, or a later one",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._driver_errors as error:
            raise explain(error, self.where) from error


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def retry_lost(once: Callable[[], Result]) -> Result:
    """Call ``once`` until the database does not give its transaction up; a few times at most."""
    for attempt in range(1, _TRIES):
        try:
            return once()
        except TransactionLost:
            time.sleep(random.uniform(0, 0.005 * attempt * attempt))
    return once()


def _driver_error(engine: Engine) -> type[Exception]:
    error: type[Exception] = engine.dialect.loaded_dbapi.Error
    return error
