"""Rows as they lie in the database, each with what is wrong with its form: reading a damaged one is no error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, LargeBinary, String, Table, cast, func, select

from app.db.session import Database

_PAGE: Final = 100


class RawRow(NamedTuple):
    """``values`` by column; text that is none has replacement characters. ``problems`` are ends of sentences."""

    values: Mapping[str, Any]
    problems: list[str]


def raw_rows(database: Database, table: Table, *chosen: ColumnElement[bool]) -> Iterator[RawRow]:
    """All rows of a table, or those chosen. SQLite keeps whatever bytes and types a damaged file holds."""
    columns = list(table.c)
    asked: list[Any] = list(columns)
    if database.kind == "sqlite":
        asked = [cast(each, LargeBinary) if isinstance(each.type, String) else each for each in columns]
        asked += [func.typeof(each) for each in columns]
    with database.read() as connection:
        found = connection.execution_options(yield_per=_PAGE).execute(select(*asked).where(*chosen))
        for row in found:
            yield _raw_row(table, tuple(row[: len(columns)]), tuple(row[len(columns) :]))


def _raw_row(table: Table, given: tuple[Any, ...], types: tuple[str, ...]) -> RawRow:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for place, column in enumerate(table.c):
        value = given[place]
        kind = types[place] if types else None
        if value is None:
            if not column.nullable:
                problems.append(f"{column.name} is missing")
        elif isinstance(column.type, String):
            value = _text(value, kind, column.name, problems)
        elif isinstance(column.type, Integer) and type(value) is not int:
            problems.append(f"{column.name} is no integer")
        elif isinstance(column.type, LargeBinary):
            if not isinstance(value, bytes | memoryview) or kind not in (None, "blob"):
                problems.append(f"{column.name} is not made of bytes")
            else:
                value = bytes(value)
        values[column.name] = value
    return RawRow(values, problems)


def _text(value: Any, kind: str | None, name: str, problems: list[str]) -> str:
    if isinstance(value, str):
        return value
    try:
        text = bytes(value).decode()
    except UnicodeDecodeError:
        problems.append(f"{name} is no text")
        return bytes(value).decode(errors="replace")
    if kind not in (None, "text"):
        problems.append(f"{name} is no text")
    return text
