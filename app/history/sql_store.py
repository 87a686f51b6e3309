"""History in a database: objects in compressed segments with an index row each, refs as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from threading import Lock
from typing import Final

from sqlalchemy import select

from app.crash_points import reached
from app.db.models import TASK_ID_LENGTH, repositories
from app.db.removal import remove_history
from app.db.session import Database, retry_lost
from app.db.upsert import insert_ignoring
from app.errors import Conflict, DamagedHistory, InvalidValue, NotFound
from app.history.base import Kind, RawObject, RefMove
from app.history.segments import SegmentCache, open_segment
from app.history.sql_bulk import BulkReader, verified
from app.history.sql_journal import SqlJournal, add_segments
from app.history.sql_refs import move_refs, raise_fence
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
            number = retry_lost(lambda: self._write(items, moves))
            if number is not None:
                self._journal.remember(number, items)
            if len(known) > _MAX_KNOWN:
                known.clear()
            known.update(fresh)

    def _write(self, items: list[RawObject], moves: Sequence[RefMove]) -> int | None:
        """One transaction. Gives the number of the journal row, where one was written."""
        number = None
        with self._database.write_cursor() as cursor:
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
        return verified(found)

    def read_many(self, oids: Iterable[bytes]) -> Iterator[RawObject]:
        return BulkReader(self._database, self._sql, self._repository, self._journal, self._segment).read(
            oids
        )

    def has(self, oid: bytes) -> bool:
        if oid in self._known or self._journal.get(oid) or self._find(oid):
            return True
        self._journal.refresh()
        return self._journal.get(oid) is not None or self._find(oid) is not None

    def object_ids(self, kind: Kind | None = None) -> Iterator[bytes]:
        in_journal = {item.oid for item in self._journal.all() if kind is None or item.kind == kind}
        yield from in_journal
        for nibble in range(16):  # a part at a time: no long transaction, no list of them all
            first, last = (
                bytes([nibble << 4]).ljust(20, b"\x00"),
                bytes([nibble << 4 | 15]).ljust(20, b"\xff"),
            )
            with self._database.read_cursor() as cursor:
                if kind is None:
                    cursor.execute(self._sql.ids_between, (self._repository, first, last))
                else:
                    cursor.execute(self._sql.ids_of_kind_between, (self._repository, first, last, int(kind)))
                found = [row[0] for row in cursor.fetchall()]
            yield from (oid for oid in found if oid not in in_journal)

    def find_commits(self, prefix: str, limit: int = 5) -> list[bytes]:
        prefix = prefix.lower()
        try:
            first, last = bytes.fromhex(prefix.ljust(40, "0")), bytes.fromhex(prefix.ljust(40, "f"))
        except ValueError:  # not hex digits: no id begins so
            return []
        found = {
            item.oid for item in self._journal.all() if item.kind == Kind.COMMIT and first <= item.oid <= last
        }
        with self._database.read_cursor() as cursor:
            cursor.execute(self._sql.ids_of_kind_between, (self._repository, first, last, int(Kind.COMMIT)))
            found.update(row[0] for row in cursor.fetchmany(limit))
        return sorted(found)[:limit]

    def refs(self) -> dict[str, bytes]:
        with self._database.read_cursor() as cursor:
            cursor.execute(self._sql.all_refs, (self._repository,))
            return {name: target for name, target, _ in cursor.fetchall() if target is not None}

    def ref(self, name: str) -> bytes | None:
        with self._database.read_cursor() as cursor:
            cursor.execute(self._sql.ref, (self._repository, name))
            row = cursor.fetchone()
        return None if row is None else row[0]

    def raise_fence(self, ref: str, fence: int) -> None:
        def once() -> None:
            with self._database.write_cursor() as cursor:
                raise_fence(cursor, self._sql, self._repository, ref, fence)

        retry_lost(once)

    def stored_bytes(self) -> int:
        """Segments and journal as stored, and :data:`INDEX_ROW_BYTES` an indexed object."""
        with self._database.read_cursor() as cursor:
            counts = []
            for statement in (self._sql.segment_bytes, self._sql.journal_bytes, self._sql.object_count):
                cursor.execute(statement, (self._repository,))
                counts.append(int(cursor.fetchone()[0] or 0))
        return counts[0] + counts[1] + counts[2] * INDEX_ROW_BYTES

    def finish(self) -> None:
        with self._writing:
            self._journal.fold()

    def close(self) -> None:
        self._known.clear()

    def _find(self, oid: bytes) -> tuple[int, int, int, int] | None:
        """Segment, position, length and kind, from the index."""
        with self._database.read_cursor() as cursor:
            cursor.execute(self._sql.find_object, (self._repository, oid))
            place: tuple[int, int, int, int] | None = cursor.fetchone()
        return place

    def _read_indexed(self, oid: bytes) -> RawObject | None:
        place = self._find(oid)
        if place is None:
            return None
        segment, position, length, kind = place
        return RawObject(oid, kind, self._segment(segment, oid)[position : position + length])

    def _segment(self, number: int, oid: bytes) -> bytes:
        """What a segment holds, wanted for an object in it. Raises ``DamagedHistory`` that names this one."""
        raw = self._cache.get(number)
        return self._load_segment(number, oid) if raw is None else raw

    def _load_segment(self, number: int, oid: bytes) -> bytes:
        with self._database.read_cursor() as cursor:
            cursor.execute(self._sql.segment, (number,))
            row = cursor.fetchone()
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
        if self._database.transact(lambda connection: connection.execute(adding).rowcount) == 0:
            raise Conflict(f"the history of task {task_id} exists already")
        return self.open(task_id)

    def open(self, task_id: str) -> SqlStore:
        asking = select(repositories.c.number).where(repositories.c.task_id == task_id)
        with self._database.read() as connection:
            number = connection.execute(asking).scalar()
        if number is None:
            raise NotFound("history of task", task_id)
        return SqlStore(self._database, self._sql, self._cache, number)

    def delete(self, task_id: str) -> None:
        self._database.transact(lambda connection: remove_history(connection, task_id))


def _is_small(items: list[RawObject]) -> bool:
    return len(items) < SMALL_OBJECTS and sum([len(item.data) for item in items]) < SMALL_BYTES
