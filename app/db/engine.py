"""How each database is spoken to: drivers, URLs, and the settings that a new connection gets."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any, Final

from pymysql.constants import SERVER_STATUS
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from app.errors import ConfigurationError, StorageError

BUSY_SECONDS: Final = 15.0
"""How long a writer waits for another one's lock on SQLite."""

POOL_SIZE: Final = 25
"""The most connections of a process. All are kept, so that none is opened anew for each request under load."""

CONNECT_SECONDS: Final = 10

SILENT_SECONDS: Final = 30
"""After how long a server's host that answers nothing any more, not even the kernel's probes, counts as gone."""

_PROBE_SECONDS: Final = 10

_POSTGRESQL_ARGUMENTS: Final = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": _PROBE_SECONDS,
    "keepalives_interval": _PROBE_SECONDS,
    "keepalives_count": SILENT_SECONDS // _PROBE_SECONDS - 1,
    "tcp_user_timeout": SILENT_SECONDS * 1000,
}

# Prepared driver SQL takes tuples on every database; SQLite's driver does so anyway.
_POSITIONAL: Final = "format"

_DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

# The pool logs with a traceback when Ctrl-C meets it giving a connection back. The interrupt is raised all the
# same; where nobody set up logging, Python would write that to stderr.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())

_SSL_TEXTS: Final = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password")
_SSL_FLAGS: Final = ("ssl_verify_cert", "ssl_verify_identity", "ssl_disabled")
_FLAG_WORDS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def parse_url(uri: str) -> URL:
    """The URL with the driver we ship. Raises ``ConfigurationError`` for what we can't speak to."""
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URI is not a database URL", hint="for example sqlite:///var/stackvm.db"
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigurationError(
            f"DATABASE_URI names an unknown kind of database: {url.drivername!r}",
            hint="use sqlite:///, mysql:// or postgresql://",
        )
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            "DATABASE_URI names an SQLite database in memory, which connections can't share",
            hint="give a file: sqlite:///var/stackvm.db",
        )
    return url.set(drivername=driver)


_IDLE_SINCE: Final = "stackvm.idle_since"
_TRUSTED_SECONDS: Final = 2.0


def make_engine(uri: str) -> Engine:
    """An engine that has not connected yet. Raises ``ConfigurationError`` for a wrong URL."""
    url = parse_url(uri)
    if url.drivername.startswith("sqlite"):
        return _sqlite_engine(url)
    if url.drivername.startswith("mysql"):
        return _mysql_engine(url)
    chosen = {name: value for name, value in _POSTGRESQL_ARGUMENTS.items() if name not in url.query}
    engine = create_engine(
        url,
        paramstyle=_POSITIONAL,
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        max_overflow=0,
        connect_args=chosen,
    )
    _Pings(engine)
    return engine


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, pool_size=POOL_SIZE, max_overflow=0, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "do_connect", _make_folder)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _mysql_engine(url: URL) -> Engine:
    query = dict(url.query)
    query.setdefault("charset", "utf8mb4")
    arguments = _take_ssl_arguments(query)
    engine = create_engine(
        url.set(query=query),
        paramstyle=_POSITIONAL,
        isolation_level="READ COMMITTED",  # no gap locks: writers of one task don't stop one another
        pool_recycle=1800,
        pool_reset_on_return=None,  # see below
        pool_size=POOL_SIZE,
        max_overflow=0,
        # Without the prefix the server warns about every id that is not UTF-8.
        connect_args={"binary_prefix": True, **arguments},
    )
    event.listen(engine, "connect", _notice_a_dead_host)
    event.listen(engine, "reset", _end_transaction)
    _Pings(engine)
    return engine


class _Pings:
    """Asks a connection whether it lives before it is used, where it was idle for a while or another one has died
    since: to ask each time is a third of what a short transaction costs."""

    def __init__(self, engine: Engine) -> None:
        self._dialect = engine.dialect
        self._died_at = -inf
        event.listen(engine, "checkin", self._note)
        event.listen(engine, "invalidate", self._hear)
        event.listen(engine, "checkout", self._ask)

    def _note(self, connection: Any, record: Any) -> None:
        record.info[_IDLE_SINCE] = monotonic()

    def _hear(self, connection: Any, record: Any, error: BaseException | None) -> None:
        self._died_at = monotonic()

    def _ask(self, connection: Any, record: Any, proxy: Any) -> None:
        since = record.info.get(_IDLE_SINCE)
        if since is None or (since > self._died_at and monotonic() - since < _TRUSTED_SECONDS):
            return
        try:
            lives = self._dialect.do_ping(connection)
        except self._dialect.loaded_dbapi.Error:
            lives = False
        if not lives:
            raise InvalidatePoolError


def _end_transaction(connection: Any, record: Any, state: Any) -> None:
    """What is given back after its commit needs no ROLLBACK, which would be one more question and answer. Where
    something failed, a ROLLBACK was sent already, whatever the server said of a transaction before."""
    if not state.terminate_only and connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
        connection.rollback()


def _notice_a_dead_host(connection: Any, record: Any) -> None:
    """A host that lost its power says nothing: without probes we would wait for its answer for hours.

    PostgreSQL's driver takes them as arguments; pymysql only turns the system's on, which begin after two hours.
    """
    sock = getattr(connection, "_sock", None)
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for name, value in (
        ("TCP_KEEPIDLE", _PROBE_SECONDS),
        ("TCP_KEEPINTVL", _PROBE_SECONDS),
        ("TCP_KEEPCNT", SILENT_SECONDS // _PROBE_SECONDS - 1),
        ("TCP_USER_TIMEOUT", SILENT_SECONDS * 1000),
    ):
        if hasattr(socket, name):  # not every system has each
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _take_ssl_arguments(query: dict[str, Any]) -> dict[str, Any]:
    """Take the ``ssl_*`` parameters out of ``query``, typed as pymysql wants them.

    SQLAlchemy would hand over ``ssl_ca`` in one form and ``ssl_verify_*`` as the text ``"true"`` in another,
    and pymysql then forgets the first.
    """
    arguments: dict[str, Any] = {name: query.pop(name) for name in _SSL_TEXTS if name in query}
    for name in _SSL_FLAGS:
        if name in query:
            arguments[name] = _flag(name, query.pop(name))
    verified = arguments.get("ssl_verify_cert") or arguments.get("ssl_verify_identity")
    if verified and "ssl_ca" not in arguments:
        # pymysql checks no host name where it is given no authorities: name the system's.
        authorities = ssl.get_default_verify_paths().cafile
        if authorities is None:
            raise ConfigurationError(
                "DATABASE_URI asks for a verified server but names no authorities", hint="add ssl_ca=FILE"
            )
        arguments["ssl_ca"] = authorities
    return arguments


def _flag(name: str, value: Any) -> bool:
    flag = _FLAG_WORDS.get(str(value).lower())
    if flag is None:
        raise ConfigurationError(f"DATABASE_URI: {name} is {value!r}", hint="true or false")
    return flag


def _make_folder(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    path = str(arguments[0])
    if path.startswith("file:"):  # an SQLite URI: whoever writes one knows where the file is
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder of database {path} can't be made: {error.strerror}",
            hint="set VAR_DIR or DATABASE_URI",
        ) from None


def _prepare_sqlite(connection: Any, record: Any) -> None:
    # The driver's own BEGIN is deferred and comes late: off; transactions are begun by us.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")  # durable means: after the power failed, too
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-16384")  # 16 MiB: the object index of a long run stays in memory
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch to the write-ahead log, once a file. The switch does not wait for other openers, so we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
