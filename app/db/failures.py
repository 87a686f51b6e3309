"""What a driver's error means for a person: one line and a hint instead of a traceback."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ConfigurationError, StackVMError, StorageError


class TransactionLost(StorageError):
    """The database gave our transaction up for another one: nothing happened, trying again helps."""


# MySQL: changed row, lock wait, deadlock; TiDB: write conflicts.
_LOST_CODES: Final = frozenset({1020, 1205, 1213, 8002, 8022, 8028, 9007})
# PostgreSQL: serialization failure, deadlock.
_LOST_STATES: Final = frozenset({"40001", "40P01"})

# What to look for in the driver's text (lower case) → what is wrong, and what would be right.
_READINGS: Final = (
    (("database is locked", "database table is locked"), "is locked", "another process holds it; try again"),
    (
        ("readonly database", "read-only transaction", "--read-only", "read_only"),
        "is read-only",
        "check the file's owner and permissions",
    ),
    (
        ("database or disk is full", "no space left", "is full", "disk full"),
        "has no space left",
        "free some disk space; nothing half-done was left",
    ),
    (("unable to open database file",), "can't be opened", "check the path and its permissions"),
    (("not a database",), "is not an SQLite database", "check the path in DATABASE_URI"),
    (("malformed",), "is damaged", "restore it from a backup"),
    (
        ("access denied", "authentication failed", "no password supplied", "no pg_hba.conf entry"),
        "denies access",
        "check user and password in DATABASE_URI",
    ),
    (("unknown database", "does not exist"), "does not exist", "create it, or correct DATABASE_URI"),
    (
        ("can't connect", "connection refused", "could not connect", "timed out", "could not translate host"),
        "can't be reached",
        "is the server running, and is DATABASE_URI right?",
    ),
    (
        ("lost connection", "gone away", "server closed the connection", "terminating connection"),
        "dropped the connection",
        "is the server running? try again",
    ),
    (("max_allowed_packet", "packet bigger"), "refuses a value of this size", "raise max_allowed_packet"),
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


def explain(error: Exception, where: str) -> StackVMError:
    """The error to raise instead of the driver's. ``where`` is the database's URL without its password."""
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
    for marks, what, hint in _READINGS:
        if any(mark in lowered for mark in marks):
            return StorageError(f"database {where} {what}", hint=hint)
    return StorageError(f"database {where}: {text}")


def _code(cause: BaseException) -> int | None:
    """MySQL's error number, where the driver gives one."""
    first = cause.args[0] if cause.args else None
    return first if isinstance(first, int) else None


def _first_line(cause: BaseException) -> str:
    text = str(cause.args[1]) if _code(cause) is not None and len(cause.args) > 1 else str(cause)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(cause).__name__)
