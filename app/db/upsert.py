"""Insert unless it is there, insert or replace: each database has its own words for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite


def insert_ignoring(kind: str, table: Table) -> Insert:
    """Insert rows; those whose key is there already are passed over and not counted."""
    if kind == "mysql":
        statement: Insert = mysql.insert(table).prefix_with("IGNORE")
    elif kind == "postgresql":
        statement = postgresql.insert(table).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing()
    # Without these a new number may be asked for, and the count is hidden.
    return statement.inline().execution_options(preserve_rowcount=True)


def add_unless_there(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert one row; ``False`` where its key is there already."""
    statement, names = _adding(connection.dialect, table, tuple(row))
    return connection.exec_driver_sql(statement, tuple(row[name] for name in names)).rowcount > 0


@lru_cache(maxsize=64)
def _adding(dialect: Dialect, table: Table, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The driver's SQL and the order of its parameters. SQLAlchemy keeps none of these statements, and to render
    one takes longer than to execute it."""
    statement = insert_ignoring(dialect.name, table)
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    return str(compiled), tuple(compiled.positiontup)


def insert_replacing(kind: str, table: Table, keep: Collection[str] = ()) -> Insert:
    """Insert rows; of those whose key is there already, set every other column anew but those to ``keep``."""
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in (*keys, *keep)]
    if kind == "mysql":
        into = mysql.insert(table)
        return into.on_duplicate_key_update({name: into.inserted[name] for name in others})
    if kind == "postgresql":
        onto = postgresql.insert(table)
        return onto.on_conflict_do_update(
            index_elements=keys, set_={name: onto.excluded[name] for name in others}
        )
    over = sqlite.insert(table)
    return over.on_conflict_do_update(
        index_elements=keys, set_={name: over.excluded[name] for name in others}
    )
