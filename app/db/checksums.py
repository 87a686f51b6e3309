"""A checksum in each row that nothing else would vouch for: a byte that changed on the disk is noticed.

``NULL`` stands in rows from before there were checksums; those are taken as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from sqlalchemy import ColumnElement, Connection, Table, select, update

from app.db.models import attempts, branches, effects, namespaces, tasks

CHECKED: Final = (tasks, branches, attempts, effects, namespaces)
"""The tables whose rows have one."""

_LEFT_OUT: Final = {"tasks": ("number", "planned_steps", "worked_ms", "usage")}
"""The number is not known when a row is written, and the branches name it. The others are summaries for lists, which
the history has; rows from before have a checksum without them."""

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    table.name: tuple(
        name
        for name in list(table.c.keys())
        if name != "checksum" and name not in _LEFT_OUT.get(table.name, ())
    )
    for table in CHECKED
}
"""What the checksum of a table's rows is of, in this order."""


def checksum(*values: Any) -> int:
    """CRC-32 of a row's values: integers, texts, ``None``, and bytes at the end at most."""
    tail = values[-1] if type(values[-1]) is bytes else None
    # Escaped to ASCII by rules that never change, and in one call: it is on the way of every paid answer.
    head = json.dumps(values if tail is None else values[:-1]).encode()
    return crc32(head) if tail is None else crc32(tail, crc32(head))


def row_checksum(table: Table, row: Mapping[str, Any]) -> int:
    """The checksum that a row of ``table`` should have."""
    return checksum(*[row[name] for name in COLUMNS[table.name]])


def is_sound(table: Table, row: Mapping[str, Any]) -> bool:
    """Whether a row is what was written."""
    return row["checksum"] is None or row["checksum"] == row_checksum(table, row)


def with_checksum(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole row, ready to be inserted. What is not named is ``None``."""
    row = {name: values.get(name) for name in COLUMNS[table.name]}
    return {**row, "checksum": row_checksum(table, row)}


def update_row(
    connection: Connection, table: Table, chosen: tuple[ColumnElement[bool], ...], values: Mapping[str, Any]
) -> int:
    """Change one row together with its checksum; gives how many there were. One that was damaged stays so."""
    asking = select(table).where(*chosen).with_for_update()
    row = connection.execute(asking).mappings().one_or_none()
    if row is None:
        return 0
    changed = row_checksum(table, {**row, **values})
    if not is_sound(table, dict(row)):
        changed ^= 1
    connection.execute(update(table).where(*chosen).values(**values, checksum=changed))
    return 1
