"""The way to the database: whole transactions, errors a person can read, the database's own clock."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, ClauseElement, Connection, Engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.db.engine import BUSY_SECONDS, make_engine
from app.db.failures import DatabaseAway, explain, not_migrated
from app.db.models import SCHEMA_REVISION, alembic_version
from app.db.patience import DEFAULT_SECONDS, Patience
from app.db.turns import Turns
from app.errors import ConfigurationError, StorageError

Result = TypeVar("Result")

_NOW_MS: Final = {
    # 2440587.5 is the Julian day of the epoch.
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    # By way of UTC: UNIX_TIMESTAMP(NOW(3)) is wrong in the hour that daylight saving repeats.
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def open_database(uri: str, patience: float = DEFAULT_SECONDS) -> Database:
    """The database at ``uri``; connects when first used. Once it has answered, what it is asked is tried for
    ``patience`` seconds where it goes away. Raises ``ConfigurationError`` for a wrong URI."""
    return Database(make_engine(uri), patience)


class _Shared(threading.local):
    """The transaction that this thread's operations are parts of, see :meth:`Database.together`."""

    connection: Connection | None = None


class Database:
    """One database. Safe to share between threads; not between processes made by fork."""

    def __init__(self, engine: Engine, patience: float = DEFAULT_SECONDS) -> None:
        self.engine = engine
        self.patience = Patience(patience)
        self.kind: str = engine.dialect.name
        """``sqlite``, ``mysql`` (MariaDB and TiDB too) or ``postgresql``."""
        self.where = _place(engine.url)
        """Which database it is, for people: no password, no parameters."""
        self._writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._turns = Turns(Path(str(engine.url.database)), BUSY_SECONDS) if self.kind == "sqlite" else None
        self._shared = _Shared()
        self._driver_errors: tuple[type[Exception], ...] = (DBAPIError, PoolTimeout, _driver_error(engine))
        # At exit too: closing SQLite's last connection folds the write-ahead log into the file.
        self._finalizer = weakref.finalize(self, engine.dispose)

    def close(self) -> None:
        """Let go of all connections. Using the database again connects anew."""
        self.engine.dispose()
        if self._turns is not None:
            self._turns.close()

    def together(self, work: Callable[[bool], Result]) -> Result:
        """Do ``work``, and all that it asks and writes here in this thread, in one transaction; again from its
        beginning as :meth:`transact_told`. It is told whether an earlier try may have happened, in full.

        Whatever is within is durable at the end only: nobody else may be told of it before.
        """
        if self._shared.connection is not None:
            return work(False)

        def once(in_doubt: bool) -> Result:
            with self.write() as connection:
                self._shared.connection = connection
                try:
                    return work(in_doubt)
                finally:
                    self._shared.connection = None

        return self.patience.insist(once)

    def ask(self, work: Callable[[Connection], Result]) -> Result:
        """What ``work`` reads, in one transaction; on SQLite it waits for no writer. Raises ``StorageError``."""

        def once(_: bool) -> Result:
            with self.read() as connection:
                return work(connection)

        return self._insist(once, writes=False)

    def ask_cursor(self, work: Callable[[Any], Result]) -> Result:
        """As :meth:`ask`, with the driver's own cursor. On SQLite every statement sees its own snapshot."""

        def once(_: bool) -> Result:
            with self.read_cursor() as cursor:
                return work(cursor)

        return self._insist(once, writes=False)

    def transact(self, work: Callable[[Connection], Result]) -> Result:
        """Do ``work`` in a transaction; again from its beginning where the database gave it up, or was away.

        ``work`` must do no harm where it had happened already; else :meth:`transact_told` is for it.
        """
        return self.transact_told(lambda connection, _: work(connection))

    def remove(self, work: Callable[[Connection], None]) -> None:
        """As :meth:`transact`, for work that only deletes: on a full disk, too, where that is possible at all."""
        try:
            self.transact(work)
        except DatabaseAway:
            raise
        except StorageError:
            if self.kind != "sqlite":
                raise
            # What is deleted is written to the write-ahead log first. Closing folds that in, which gives room back.
            self.close()
            self.transact(work)

    def transact_told(self, work: Callable[[Connection, bool], Result], *, at_most: float = inf) -> Result:
        """As :meth:`transact`; ``work`` is told whether an earlier try may have happened. It gives up after
        ``at_most`` seconds, where the database's patience does not end before."""

        def once(in_doubt: bool) -> Result:
            with self.write() as connection:
                return work(connection, in_doubt)

        return self._insist(once, at_most=at_most)

    def transact_cursor(self, work: Callable[[Any, bool], Result]) -> Result:
        """As :meth:`transact_told`, with the driver's own cursor: about 50 µs less a transaction."""

        def once(in_doubt: bool) -> Result:
            with self.write_cursor() as cursor:
                return work(cursor, in_doubt)

        return self._insist(once)

    def _insist(self, once: Callable[[bool], Result], *, writes: bool = True, at_most: float = inf) -> Result:
        """Part of a larger transaction is tried once: that one is done again as a whole."""
        if self._shared.connection is not None:
            return once(False)
        return self.patience.insist(once, writes=writes, at_most=at_most)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, tried once. Raises ``StorageError``."""
        if self._shared.connection is not None:
            with self._explained():
                yield self._shared.connection
            return
        with self._transaction(self.engine) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, tried once: durable at the end of the block, or it never happened.

        Raises ``StorageError``; ``DatabaseAway`` says whether that is in doubt.
        """
        if self._shared.connection is not None:
            with self._explained():
                yield self._shared.connection
            return
        with self._turn(), self._transaction(self._writing) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with self._explained(), engine.connect() as connection:
            try:
                with self._explained(), connection.begin() as transaction:
                    yield connection
                    if transaction.is_active:  # else the block has rolled it back
                        with self._explained(in_doubt=True):
                            transaction.commit()
            except DatabaseAway:
                connection.invalidate()  # dead, or to a server that no longer serves us
                raise

    @contextmanager
    def read_cursor(self) -> Iterator[Any]:
        """As :meth:`read`, with the driver's own cursor. On SQLite every statement sees its own snapshot."""
        if self._shared.connection is not None:
            with self._shared_cursor(self._shared.connection) as cursor:
                yield cursor
            return
        with self._cursor() as (_, cursor):
            yield cursor

    @contextmanager
    def write_cursor(self) -> Iterator[Any]:
        """As :meth:`write`, with the driver's own cursor."""
        if self._shared.connection is not None:
            with self._shared_cursor(self._shared.connection) as cursor:
                yield cursor
            return
        with self._turn(), self._cursor() as (connection, cursor):
            if self.kind == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            with self._explained(in_doubt=True):
                connection.commit()

    @contextmanager
    def _shared_cursor(self, connection: Connection) -> Iterator[Any]:
        with self._explained():
            cursor = connection.connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    def _turn(self) -> AbstractContextManager[None]:
        """On SQLite, writers take turns."""
        return nullcontext() if self._turns is None else self._turns.mine()

    @contextmanager
    def _cursor(self) -> Iterator[tuple[Any, Any]]:
        with self._explained():
            connection = self.engine.raw_connection()
        try:
            with self._explained():
                cursor = connection.cursor()
                yield connection, cursor
                cursor.close()
        except DatabaseAway:
            connection.invalidate()  # dead, or to a server that no longer serves us
            raise
        except Exception:
            try:
                connection.rollback()
            except self._driver_errors:
                connection.invalidate()
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
        revision = self.ask(_revision)
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
    def _explained(self, *, in_doubt: bool = False) -> Iterator[None]:
        try:
            yield
        except self._driver_errors as error:
            raise explain(error, self.where, in_doubt=in_doubt) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(alembic_version.name):
        return None
    revision: str | None = connection.execute(select(alembic_version.c.version_num)).scalar()
    return revision


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def _driver_error(engine: Engine) -> type[Exception]:
    error: type[Exception] = engine.dialect.loaded_dbapi.Error
    return error
