"""History in a database: objects in compressed segments with an index row each, refs as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from app.crash_points import reached
from app.db.models import TASK_ID_LENGTH, journal, refs, repositories, segments
from app.db.removal import remove_history
from app.db.session import Database
from app.db.upsert import add_unless_there
from app.errors import BranchMoved, Conflict, DamagedHistory, InvalidValue, NotFound
from app.history.base import Collected, Damage, Kind, RawObject, RefMove
from app.history.reachable import require_reachable
from app.history.segments import SegmentCache, open_segment
from app.history.sql_bulk import BulkReader, verified
from app.history.sql_collect import INDEX_ROW_BYTES, collect
from app.history.sql_damage import find_damage
from app.history.sql_journal import SqlJournal, add_segments
from app.history.sql_places import Place, Places
from app.history.sql_refs import have_moved, lock_repository, move_refs, raise_fence
from app.history.sql_statements import StoreStatements

SMALL_OBJECTS: Final = 256
SMALL_BYTES: Final = 64 << 10
"""A write below both goes to the journal; others are worth segments of their own."""

_REPOSITORY: Final = select(repositories.c.number, repositories.c.collected).where(
    repositories.c.task_id == bindparam("task_id")
)
_MAX_KNOWN: Final = 1 << 16


class SqlStore:
    """A :class:`app.history.base.Store` in a database. One thread may write while others read."""

    def __init__(
        self, database: Database, sql: StoreStatements, cache: SegmentCache, repository: int, collected: int
    ) -> None:
        self._database = database
        self._sql = sql
        self._cache = cache
        self._repository = repository
        self._journal = SqlJournal(database, sql, repository)
        self._places = Places(self._find, self._find_all)
        self._known: set[bytes] = set()
        """Ids of objects that are surely there: written by us, durable, and not collected since."""
        self._collected = collected
        """How often garbage had been collected when what we count on was seen to be there."""
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
            try:
                number = self._transact(items, moves, self._collected)
            except _CollectedSince as since:
                items = list({item.oid: item for item in objects}.values())
                number = self._write_anew(items, moves, since.collected)
            if number is not None:
                self._journal.remember(number, items)
            if len(known) > _MAX_KNOWN:
                known.clear()
            known.update(fresh)

    def _write_anew(self, items: list[RawObject], moves: Sequence[RefMove], collected: int) -> int | None:
        """Write all of it, also what was thought to be there, then look whether the moves have all they need."""
        self._trust_nothing()
        self._journal.refresh()
        number = self._transact(items, (), None)
        if moves:
            if number is not None:
                self._journal.remember(number, items)
            require_reachable(self, moves)
            # Where a collection came in between, it is not worth another try.
            with turned_into_moved(moves[0].ref):
                self._transact([], moves, collected)
            self._collected = collected
        return number

    def _transact(
        self, items: list[RawObject], moves: Sequence[RefMove], collected: int | None
    ) -> int | None:
        """Gives the number of the journal row, where one was written."""

        def work(cursor: Any, in_doubt: bool) -> int | None:
            if in_doubt and have_moved(cursor, self._sql, self._repository, moves):
                return None
            return self._write(cursor, items, moves, collected)

        return self._database.transact_cursor(work)

    def _write(
        self, cursor: Any, items: list[RawObject], moves: Sequence[RefMove], collected: int | None
    ) -> int | None:
        """Within a transaction. Gives the number of the journal row, where one was written.

        Who collects garbage holds the lease of every branch, and has raised its fence: a move that names a fence
        can't meet that. Others wait for it, and raise ``_CollectedSince`` where it has not been ``collected`` times.
        """
        number = None
        if not _is_fenced(moves) if moves else not _is_small(items):
            count = lock_repository(cursor, self._sql, self._repository, moves[0].ref if moves else "")
            if moves and collected not in (None, count):
                raise _CollectedSince(count)
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
        here = (self._database, self._sql, self._repository, self._journal)
        return BulkReader(*here, self._segment, self.read).read(oids)

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
            if kind is None:
                found = self._rows(self._sql.ids_between, first, last)
            else:
                found = self._rows(self._sql.ids_of_kind_between, first, last, int(kind))
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
        # From here on this branch is ours, and nobody collects; what was before may have been.
        with self._writing:
            self._trust_nothing()

    def stored_bytes(self) -> int:
        """Segments and journal as stored, and :data:`INDEX_ROW_BYTES` an indexed object."""
        statements = (self._sql.segment_bytes, self._sql.journal_bytes, self._sql.object_count)
        counts = [int(self._rows(statement)[0][0] or 0) for statement in statements]
        return counts[0] + counts[1] + counts[2] * INDEX_ROW_BYTES

    def damage(self) -> Iterator[Damage]:
        yield from find_damage(self._database, self._repository)

    def collect(self, also: Collection[bytes] = (), *, dry_run: bool = False) -> Collected:
        self.finish()  # what the journal holds is in the index then
        self._trust_nothing()
        try:
            return collect(self._database, self, self._repository, also, dry_run=dry_run)
        finally:
            self._places.forget()

    def finish(self) -> None:
        with self._writing:
            self._journal.fold()

    def close(self) -> None:
        self._trust_nothing()

    def _trust_nothing(self) -> None:
        """What was there may have been collected."""
        self._known.clear()
        self._places.forget()

    def _find(self, oid: bytes) -> Place | None:
        """Segment, position, length and kind, from the index."""
        rows = self._rows(self._sql.find_object, oid)
        return rows[0] if rows else None

    def _find_all(self, segment: int) -> Iterator[tuple[bytes, Place]]:
        """The objects of a segment, from the index."""
        for oid, *place in self._rows(self._sql.find_in_segment, segment):
            yield bytes(oid), (segment, *place)

    def _rows(self, sql: str, *values: Any, at_most: int | None = None) -> list[Any]:
        """What a statement finds in this repository."""

        def work(cursor: Any) -> list[Any]:
            cursor.execute(sql, (self._repository, *values))
            return list(cursor.fetchall() if at_most is None else cursor.fetchmany(at_most))

        return self._database.ask_cursor(work)

    def _read_indexed(self, oid: bytes) -> RawObject | None:
        """Where it lies now: while garbage is collected, objects are moved to other segments."""
        place = self._places.get(oid)
        while place is not None:
            segment, position, length, kind = place
            raw = self._segment(segment, oid)
            if raw is not None:
                return RawObject(oid, kind, raw[position : position + length])
            before, place = place, self._find(oid)
            if place == before:
                raise DamagedHistory(oid.hex(), f"is missing: there is no segment {segment}")
        return None

    def _segment(self, number: int, oid: bytes) -> bytes | None:
        """What a segment holds, wanted for an object in it; ``None`` where there is none."""
        raw = self._cache.get(number)
        return self._load_segment(number, oid) if raw is None else raw

    def _load_segment(self, number: int, oid: bytes) -> bytes | None:
        """The bytes of a segment; ``None`` where there is none. Raises ``DamagedHistory``."""

        def work(cursor: Any) -> Any:
            cursor.execute(self._sql.segment, (number,))
            return cursor.fetchone()

        row = self._database.ask_cursor(work)
        if row is None:
            return None
        raw = open_segment(row[0], row[1])
        if raw is None:
            raise DamagedHistory(oid.hex(), f"can't be read: segment {number} is damaged")
        self._cache.put(number, raw)
        return raw


class SqlStoreFactory:
    """Opens the histories kept in one database; they share a cache."""

    is_in_database = True

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

        def work(connection: Connection, in_doubt: bool) -> bool:
            row = {"task_id": task_id, "collected": 0, "created_ms": self._database.now_ms(connection)}
            added = add_unless_there(connection, repositories, row)
            return added or (in_doubt and _is_empty(connection, task_id))

        if not self._database.transact_told(work):
            raise Conflict(f"the history of task {task_id} exists already")
        return self.open(task_id)

    def open(self, task_id: str) -> SqlStore:
        named = {"task_id": task_id}
        row = self._database.ask(lambda connection: connection.execute(_REPOSITORY, named).one_or_none())
        if row is None:
            raise NotFound("history of task", task_id)
        return SqlStore(self._database, self._sql, self._cache, *row)

    def delete(self, task_id: str) -> None:
        self._database.remove(lambda connection: remove_history(connection, task_id))

    def stored_bytes(self, task_id: str) -> int:
        with suppress(NotFound):
            return self.open(task_id).stored_bytes()
        return 0

    def task_ids(self, older_than_seconds: float = 0.0) -> Iterator[str]:
        def work(connection: Connection) -> list[str]:
            before = self._database.now_ms(connection) - round(older_than_seconds * 1000)
            asking = select(repositories.c.task_id).where(repositories.c.created_ms <= before)
            return list(connection.execute(asking).scalars())

        yield from self._database.ask(work)

    def clean(self, *, dry_run: bool = False) -> int:
        return 0


class _CollectedSince(Exception):
    """Internal: garbage was collected ``collected`` times by now, more often than when we looked."""

    def __init__(self, collected: int) -> None:
        super().__init__(collected)
        self.collected = collected


@contextmanager
def turned_into_moved(ref: str) -> Iterator[None]:
    """A second collection while one write goes on, as the caller is told of it."""
    try:
        yield
    except _CollectedSince:
        raise BranchMoved(ref, "garbage is being collected (`stackvm gc`)") from None


def _is_fenced(moves: Sequence[RefMove]) -> bool:
    return all(move.fence is not None and move.old for move in moves)


def _is_small(items: list[RawObject]) -> bool:
    return len(items) < SMALL_OBJECTS and sum([len(item.data) for item in items]) < SMALL_BYTES


def _is_empty(connection: Connection, task_id: str) -> bool:
    """Whether nothing was written yet to the task's repository."""
    number = select(repositories.c.number).where(repositories.c.task_id == task_id).scalar_subquery()
    return not any(
        connection.execute(select(table.c.repository).where(table.c.repository == number).limit(1)).first()
        for table in (refs, journal, segments)
    )
