"""What a driver's error means for a person: one line and a hint instead of a traceback."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ConfigurationError, StackVMError, StorageError


class TransactionLost(StorageError):
    """The database gave our transaction up for another one: nothing happened, trying again helps."""


class DatabaseAway(StorageError):
    """The database can't be reached, let go of the connection, or is locked: trying again later may help.

    ``in_doubt``: COMMIT was sent and not answered, so the transaction may have happened.
    """

    in_doubt = False


# MySQL: changed row, lock wait, deadlock; TiDB: write conflicts.
_LOST_CODES: Final = frozenset({1020, 1205, 1213, 8002, 8022, 8028, 9007})
# PostgreSQL: serialization failure, deadlock.
_LOST_STATES: Final = frozenset({"40001", "40P01"})

# MySQL: too many connections, shutting down, connection killed, lost or never made, read-only (a failover is under
# way); 0: pymysql's own, for a connection that is closed.
_AWAY_CODES: Final = frozenset({0, 1040, 1053, 1927, 2002, 2003, 2006, 2013, 2055, 4031})
_READ_ONLY_CODES: Final = frozenset({1290, 1836})
# PostgreSQL: too many connections; shutting down, crashed, starting up, dropped; read-only. Class 08: the connection.
_AWAY_STATES: Final = frozenset({"53300", "57P01", "57P02", "57P03", "57P05"})
_READ_ONLY_STATES: Final = frozenset({"25006"})


class _Reading(NamedTuple):
    """What to look for in the driver's text (lower case) → what is wrong, and what would be right."""

    marks: tuple[str, ...]
    what: str
    hint: str
    passes: bool = False
    """Whether it may be over in a moment."""


_LOST: Final = _Reading(
    (
        "lost connection",
        "gone away",
        "server closed the connection",
        "terminating connection",
        "connection was killed",
        "connection reset",
        "connection has been closed",
        "connection is closed",
        "connection is lost",
        "connection not open",
        "could not receive data",
        "could not send data",
        "broken pipe",
    ),
    "dropped the connection",
    "is the server running? try again",
    passes=True,
)

_READ_ONLY: Final = _Reading(
    ("readonly database", "read-only transaction", "--read-only", "read_only"),
    "is read-only",
    "check the file's owner and permissions, and how its file system is mounted",
)
_READ_ONLY_SERVER: Final = _READ_ONLY._replace(hint="is it a replica? name the primary", passes=True)

_READINGS: Final = (
    _Reading(
        ("database is locked", "database table is locked"),
        "is locked",
        "another process holds it; try again",
        passes=True,
    ),
    _READ_ONLY,
    _Reading(
        ("database or disk is full", "no space left", "is full", "disk full"),
        "has no space left",
        "free some disk space; nothing half-done was left",
    ),
    _Reading(
        ("unable to open database file",),
        "can't be opened",
        "check the path, its permissions, and that the disk is neither full nor mounted read-only",
    ),
    _Reading(
        ("disk i/o error",),
        "can't be read or written: the disk failed",
        "is it full, read-only or broken? nothing half-done was left",
    ),
    _Reading(("not a database",), "is not an SQLite database", "check the path in DATABASE_URI"),
    _Reading(("malformed",), "is damaged", "restore it from a backup"),
    _Reading(
        ("access denied", "authentication failed", "no password supplied", "no pg_hba.conf entry"),
        "denies access",
        "check user and password in DATABASE_URI",
    ),
    _Reading(("unknown database", "does not exist"), "does not exist", "create it, or correct DATABASE_URI"),
    _Reading(
        ("starting up", "shutting down", "in recovery mode", "accepting connections", "shutdown in progress"),
        "is starting or stopping",
        "try again in a moment",
        passes=True,
    ),
    _Reading(
        ("too many connections", "too many clients", "connection slots are reserved"),
        "takes no more connections",
        "raise its limit, or run less at once",
        passes=True,
    ),
    _Reading(
        ("can't connect", "connection refused", "could not connect", "timed out", "could not translate host"),
        "can't be reached",
        "is the server running, and is DATABASE_URI right?",
        passes=True,
    ),
    _LOST,
    _Reading(
        ("max_allowed_packet", "packet bigger"), "refuses a value of this size", "raise max_allowed_packet"
    ),
)

_NO_TABLE: Final = (
    "no such table",
    "no such column",
    "has no column named",
    "undefinedtable",
    "undefinedcolumn",
)
_NO_TABLE_CODES: Final = frozenset({1146, 1054})
_NO_TABLE_STATES: Final = frozenset({"42P01", "42703"})


def not_migrated(detail: str = "the database is not migrated") -> ConfigurationError:
    """The schema is not the one this version works with."""
    return ConfigurationError(detail, hint="run `make migrate`")


def explain(error: Exception, where: str, *, in_doubt: bool = False) -> StackVMError:
    """The error to raise instead of the driver's. ``where`` is the database's URL without its password;
    ``in_doubt``: it came in answer to COMMIT."""
    if isinstance(error, PoolTimeout):
        return StorageError(f"database {where} gave no connection in time", hint="all are in use; try again")
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code, state = _code(cause), getattr(cause, "sqlstate", None)
    text = _first_line(cause)
    lowered = text.lower()
    if code in _NO_TABLE_CODES or state in _NO_TABLE_STATES or any(mark in lowered for mark in _NO_TABLE):
        return not_migrated()
    if code in _LOST_CODES or state in _LOST_STATES:
        return TransactionLost(f"database {where} gave up a transaction: {text}", hint="try again")
    reading = _reading(code, state, lowered)
    if reading is None:
        return StorageError(f"database {where}: {text}")
    message = f"database {where} {reading.what}"
    if not reading.passes:
        return StorageError(message, hint=reading.hint)
    away = DatabaseAway(message, hint=reading.hint)
    away.in_doubt = in_doubt
    return away


def _reading(code: int | None, state: str | None, text: str) -> _Reading | None:
    if state in _READ_ONLY_STATES or (code in _READ_ONLY_CODES and "read" in text):
        return _READ_ONLY_SERVER
    for reading in _READINGS:
        if any(mark in text for mark in reading.marks):
            return reading
    if code in _AWAY_CODES or state in _AWAY_STATES or (state or "").startswith("08"):
        return _LOST
    return None


def _code(cause: BaseException) -> int | None:
    """MySQL's error number, where the driver gives one."""
    first = cause.args[0] if cause.args else None
    return first if isinstance(first, int) else None


def _first_line(cause: BaseException) -> str:
    text = str(cause.args[1]) if _code(cause) is not None and len(cause.args) > 1 else str(cause)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(cause).__name__)
