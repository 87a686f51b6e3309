"""History in a database: objects in compressed segments with an index row each, refs as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, select

from app.crash_points import reached
from app.db.models import TASK_ID_LENGTH, journal, refs, repositories, segments
from app.db.removal import remove_history
from app.db.session import Database
from app.db.upsert import insert_ignoring
from app.errors import Conflict, DamagedHistory, InvalidValue, NotFound
from app.history.base import Kind, RawObject, RefMove, object_id
from app.history.segments import SegmentCache, open_segment
from app.history.sql_journal import SqlJournal, add_segments
from app.history.sql_refs import have_moved, move_refs, raise_fence
from app.history.sql_statements import StoreStatements

SMALL_OBJECTS: Final = 256
SMALL_BYTES: Final = 64 << 10
"""A write below both goes to the journal; others are worth segments of their own."""

INDEX_ROW_BYTES: Final = 42
"""What a row of the object index takes, about: measured on SQLite."""

_MAX_KNOWN: Final = 1 << 16


class SqlStore:
    """A :class:`app.history.base.Store` in a database. One thread may write while others read."""

    def __init__(
        self, database: Database, sql: StoreStatements, cache: SegmentCache, repository: int
    ) -> None:
        self._database = database
        self._sql = sql
        self._cache = cache
        self._repository = repository
        self._journal = SqlJournal(database, sql, repository)
        self._known: set[bytes] = set()
        """Ids of objects that are surely there: written by us, and durable."""
        self._writing = Lock()

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        with self._writing:
            known = self._known
            fresh = {item.oid: item for item in objects if item.oid not in known}
            if not fresh and not moves:
                return
            if self._journal.is_full:
                # Before our own transaction: what fails here has moved no ref.
                self._journal.fold()
            items = list(fresh.values())
            number = self._database.transact_cursor(
                lambda cursor, in_doubt: self._write(cursor, in_doubt, items, moves)
            )
            if number is not None:
                self._journal.remember(number, items)
            if len(known) > _MAX_KNOWN:
                known.clear()
            known.update(fresh)

    def _write(
        self, cursor: Any, in_doubt: bool, items: list[RawObject], moves: Sequence[RefMove]
    ) -> int | None:
        """Within a transaction. Gives the number of the journal row, where one was written."""
        if in_doubt and have_moved(cursor, self._sql, self._repository, moves):
            return None
        number = None
        if items and _is_small(items):
            number = self._journal.append(cursor, items)
        elif items:
            add_segments(cursor, self._sql, self._repository, items)
        reached("flush.written")
        if moves:
            move_refs(cursor, self._sql, self._repository, moves)
        return number

    def read(self, oid: bytes) -> RawObject:
        found = self._journal.get(oid) or self._read_indexed(oid)
        if found is None:
            # Another process may have written it. The journal first: what is folded since is in the index.
            self._journal.refresh()
            found = self._journal.get(oid) or self._read_indexed(oid)
        if found is None:
            raise DamagedHistory(oid.hex(), "is missing")
        if not 1 <= found.kind <= 3 or object_id(found.kind, found.data) != oid:
            raise DamagedHistory(oid.hex(), "has other bytes than its id says")
        return found

    def has(self, oid: bytes) -> bool:
        if oid in self._known or self._journal.get(oid) or self._find(oid):
            return True
        self._journal.refresh()
        return self._journal.get(oid) is not None or self._find(oid) is not None

    def object_ids(self) -> Iterator[bytes]:
        in_journal = {item.oid for item in self._journal.all()}
        yield from in_journal
        for nibble in range(16):  # a part at a time: no long transaction, no list of them all
            first, last = (
                bytes([nibble << 4]).ljust(20, b"\x00"),
                bytes([nibble << 4 | 15]).ljust(20, b"\xff"),
            )
            found = self._rows(self._sql.ids_between, first, last)
            yield from (row[0] for row in found if row[0] not in in_journal)

    def find_commits(self, prefix: str, limit: int = 5) -> list[bytes]:
        prefix = prefix.lower()
        try:
            first, last = bytes.fromhex(prefix.ljust(40, "0")), bytes.fromhex(prefix.ljust(40, "f"))
        except ValueError:  # not hex digits: no id begins so
            return []
        found = {
            item.oid for item in self._journal.all() if item.kind == Kind.COMMIT and first <= item.oid <= last
        }
        rows = self._rows(self._sql.ids_of_kind_between, first, last, int(Kind.COMMIT), at_most=limit)
        found.update(row[0] for row in rows)
        return sorted(found)[:limit]

    def refs(self) -> dict[str, bytes]:
        rows = self._rows(self._sql.all_refs)
        return {name: target for name, target, _ in rows if target is not None}

    def ref(self, name: str) -> bytes | None:
        rows = self._rows(self._sql.ref, name)
        return rows[0][0] if rows else None

    def raise_fence(self, ref: str, fence: int) -> None:
        self._database.transact_cursor(
            lambda cursor, _: raise_fence(cursor, self._sql, self._repository, ref, fence)
        )

    def stored_bytes(self) -> int:
        """Segments and journal as stored, and :data:`INDEX_ROW_BYTES` an indexed object."""
        statements = (self._sql.segment_bytes, self._sql.journal_bytes, self._sql.object_count)
        counts = [int(self._rows(statement)[0][0] or 0) for statement in statements]
        return counts[0] + counts[1] + counts[2] * INDEX_ROW_BYTES

    def finish(self) -> None:
        with self._writing:
            self._journal.fold()

    def close(self) -> None:
        self._known.clear()

    def _find(self, oid: bytes) -> tuple[int, int, int, int] | None:
        """Segment, position, length and kind, from the index."""
        rows = self._rows(self._sql.find_object, oid)
        return rows[0] if rows else None

    def _rows(self, sql: str, *values: Any, at_most: int | None = None) -> list[Any]:
        """What a statement finds in this repository."""

        def work(cursor: Any) -> list[Any]:
            cursor.execute(sql, (self._repository, *values))
            return list(cursor.fetchall() if at_most is None else cursor.fetchmany(at_most))

        return self._database.ask_cursor(work)

    def _read_indexed(self, oid: bytes) -> RawObject | None:
        place = self._find(oid)
        if place is None:
            return None
        segment, position, length, kind = place
        raw = self._cache.get(segment)
        if raw is None:
            raw = self._load_segment(segment, oid)
        return RawObject(oid, kind, raw[position : position + length])

    def _load_segment(self, number: int, oid: bytes) -> bytes:
        def work(cursor: Any) -> Any:
            cursor.execute(self._sql.segment, (number,))
            return cursor.fetchone()

        row = self._database.ask_cursor(work)
        if row is None:
            raise DamagedHistory(oid.hex(), f"is missing: there is no segment {number}")
        raw = open_segment(row[0], row[1])
        if raw is None:
            raise DamagedHistory(oid.hex(), f"can't be read: segment {number} is damaged")
        self._cache.put(number, raw)
        return raw


class SqlStoreFactory:
    """Opens the histories kept in one database; they share a cache."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache = SegmentCache()

    @cached_property
    def _sql(self) -> StoreStatements:
        """Rendered when the first store is opened: it takes some milliseconds."""
        return StoreStatements(self._database)

    def create(self, task_id: str) -> SqlStore:
        if not 0 < len(task_id) <= TASK_ID_LENGTH:
            raise InvalidValue(f"a task id has 1 to {TASK_ID_LENGTH} characters, not {len(task_id)}")
        adding = insert_ignoring(self._database.kind, repositories).values(task_id=task_id)

        def work(connection: Connection, in_doubt: bool) -> bool:
            added = connection.execute(adding).rowcount > 0
            return added or (in_doubt and _is_empty(connection, task_id))

        if not self._database.transact_told(work):
            raise Conflict(f"the history of task {task_id} exists already")
        return self.open(task_id)

    def open(self, task_id: str) -> SqlStore:
        asking = select(repositories.c.number).where(repositories.c.task_id == task_id)
        number = self._database.ask(lambda connection: connection.execute(asking).scalar())
        if number is None:
            raise NotFound("history of task", task_id)
        return SqlStore(self._database, self._sql, self._cache, number)

    def delete(self, task_id: str) -> None:
        self._database.remove(lambda connection: remove_history(connection, task_id))


def _is_empty(connection: Connection, task_id: str) -> bool:
    """Whether nothing was written yet to the task's repository."""
    number = select(repositories.c.number).where(repositories.c.task_id == task_id).scalar_subquery()
    return not any(
        connection.execute(select(table.c.repository).where(table.c.repository == number).limit(1)).first()
        for table in (refs, journal, segments)
    )


def _is_small(items: list[RawObject]) -> bool:
    return len(items) < SMALL_OBJECTS and sum([len(item.data) for item in items]) < SMALL_BYTES
