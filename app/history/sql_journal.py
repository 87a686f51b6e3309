"""The journal of one repository: what small writes left, one row each, until it is folded into segments.

A write of a few objects would touch as many pages of the index, a random one for each id; a row of the
journal touches one or two. Rows are few and mirrored in memory, where objects are found by id.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from threading import Lock
from typing import Any, Final
from zlib import crc32

from app.crash_points import reached
from app.db.session import Database
from app.history.base import RawObject
from app.history.segments import journal_row, make_segments, read_journal_row
from app.history.sql_statements import DROPPED, StoreStatements

MAX_OBJECTS: Final = 4096
MAX_BYTES: Final = 4 << 20
"""A journal beyond either is folded."""


_WITH_CHECKSUM: Final = 1 << 62
_DRAWN_BITS: Final = 30


def draw_number(data: bytes) -> int:
    """The number of a new row: 30 bits of chance and a CRC-32 of what it holds.

    Drawn, not counted: a counter's rows may become visible out of order, and be missed by who reads on.
    """
    return _WITH_CHECKSUM | secrets.randbits(_DRAWN_BITS) << 32 | crc32(data)


def fits_number(number: int, data: bytes) -> bool:
    """Whether a row holds what it was written with, as far as its number says: older ones don't."""
    return number < _WITH_CHECKSUM or number & 0xFFFFFFFF == crc32(data)


class SqlJournal:
    """The rows of one repository, and their mirror."""

    def __init__(self, database: Database, sql: StoreStatements, repository: int) -> None:
        self._database = database
        self._sql = sql
        self._repository = repository
        self._lock = Lock()
        self._rows: dict[int, list[bytes]] = {}
        self._objects: dict[bytes, RawObject] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to fold, as far as this process knows."""
        return len(self._objects) >= MAX_OBJECTS or self._bytes >= MAX_BYTES

    def append(self, cursor: Any, objects: Collection[RawObject]) -> int:
        """Add a row within the caller's transaction; :meth:`remember` it once that is durable."""
        data = journal_row(objects)
        number = draw_number(data)
        cursor.execute(self._sql.add_to_journal, (self._repository, number, data))
        return number

    def remember(self, number: int, objects: Collection[RawObject]) -> None:
        """A row is in the database: mirror it."""
        with self._lock:
            self._remember(number, objects)

    def get(self, oid: bytes) -> RawObject | None:
        """An object of the mirror."""
        return self._objects.get(oid)

    def all(self) -> list[RawObject]:
        """What the journal holds now."""
        self.refresh()
        with self._lock:
            return list(self._objects.values())

    def refresh(self) -> None:
        """See the rows that others added, forget those that were folded."""
        with self._lock:
            self._database.ask_cursor(self._refresh)

    def _refresh(self, cursor: Any) -> None:
        present = self._ids(cursor)
        for number in self._rows.keys() - present:
            self._forget(number)
        for number in present - self._rows.keys():
            cursor.execute(self._sql.journal_row, (self._repository, number))
            row = cursor.fetchone()
            if row is not None:  # else folded since
                self._remember(number, read_journal_row(row[0]))

    def fold(self) -> None:
        """Move all rows into segments, in one transaction; where there are none, nothing is locked."""
        with self._lock:
            if self._database.ask_cursor(self._ids):
                self._database.transact_cursor(self._fold)
            # Also those that another process folded.
            for number in list(self._rows):
                self._forget(number)

    def _ids(self, cursor: Any) -> set[int]:
        """The rows that are in the database."""
        cursor.execute(self._sql.journal_ids, (self._repository,))
        return {row[0] for row in cursor.fetchall()}

    def _fold(self, cursor: Any, _: bool) -> None:
        # Who collects garbage waits here: an object of ours may be in the index already, and about to go.
        cursor.execute(self._sql.lock_repository, (self._repository,))
        cursor.fetchall()
        cursor.execute(self._sql.journal_rows_locked, (self._repository,))
        # A row that is damaged stays as it is, for who looks for damage.
        rows = [row for row in cursor.fetchall() if fits_number(*row)]
        found = {item.oid: item for row in rows for item in self._objects_of(*row)}
        add_segments(cursor, self._sql, self._repository, found.values())
        reached("fold.written")
        gone = [number for number, _ in rows]
        for begin in range(0, len(gone), DROPPED):
            some = gone[begin : begin + DROPPED]
            padded = some + some[-1:] * (DROPPED - len(some))
            cursor.execute(self._sql.drop_from_journal, (self._repository, *padded))

    def _objects_of(self, number: int, row: bytes) -> list[RawObject]:
        """What a row holds: from the mirror, where it has all of it; reading it takes a hash an object."""
        mirrored = [self._objects.get(oid) for oid in self._rows.get(number, ())]
        whole = [item for item in mirrored if item is not None]
        return whole if whole and len(whole) == len(mirrored) else read_journal_row(row)

    def _remember(self, number: int, objects: Collection[RawObject]) -> None:
        self._rows[number] = [item.oid for item in objects]
        for item in objects:
            if item.oid not in self._objects:
                self._objects[item.oid] = item
                self._bytes += len(item.data)

    def _forget(self, number: int) -> None:
        for oid in self._rows.pop(number, ()):
            item = self._objects.pop(oid, None)
            self._bytes -= len(item.data) if item is not None else 0


def add_segments(cursor: Any, sql: StoreStatements, repository: int, objects: Collection[RawObject]) -> None:
    """Write ``objects`` as segments with an index row each; those indexed already keep their place."""
    rows: list[tuple[int, bytes, int, int, int, int]] = []
    numbers = []
    for data, raw_bytes, places in make_segments(objects):
        cursor.execute(sql.add_segment, (repository, raw_bytes, data))
        number = sql.new_segment(cursor)
        numbers.append(number)
        rows += [(repository, oid, number, position, length, kind) for oid, position, length, kind in places]
    # In the order of the index: neighbours share a page, and two writers lock rows in one order.
    rows.sort()
    if rows:
        cursor.executemany(sql.index_object, rows)
        if cursor.rowcount == 0:  # all were here: a history that is imported again takes no space
            cursor.executemany(sql.drop_segment, [(number,) for number in numbers])
