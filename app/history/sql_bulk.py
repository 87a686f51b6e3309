"""Many objects read at once: looked up by the hundred, each segment opened once for all that lie in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias

from app.db.session import Database
from app.errors import DamagedHistory
from app.history.base import RawObject, object_id
from app.history.sql_journal import SqlJournal
from app.history.sql_statements import LOOKED_UP, StoreStatements

_GROUP: Final = 4096
"""How many are looked up before the first of them is read. Objects written together lie together, so these
share few segments; more would only take more memory."""

_Place: TypeAlias = tuple[int, int, int, int, bytes]
"""Segment, position, length, kind, id: sorted, they are in the order in which they lie."""


class BulkReader:
    """Reads objects of one repository.

    ``segment`` gives what a segment holds, wanted for an object in it, and ``None`` where it is gone; ``read`` reads
    one object, wherever it lies by then.
    """

    def __init__(
        self,
        database: Database,
        sql: StoreStatements,
        repository: int,
        journal: SqlJournal,
        segment: Callable[[int, bytes], bytes | None],
        read: Callable[[bytes], RawObject],
    ) -> None:
        self._database = database
        self._sql = sql
        self._repository = repository
        self._journal = journal
        self._segment = segment
        self._read = read

    def read(self, oids: Iterable[bytes]) -> Iterator[RawObject]:
        """The objects, each verified. Raises ``DamagedHistory``."""
        for group in _groups(dict.fromkeys(oids), _GROUP):
            yield from self._read_group(group)

    def _read_group(self, oids: list[bytes]) -> Iterator[RawObject]:
        indexed = []
        for oid in oids:
            item = self._journal.get(oid)
            if item is None:
                indexed.append(oid)
            else:
                yield verified(item)
        places = self._places(indexed)
        # Not found: another process may have written them since the journal was looked at.
        found = {place[-1] for place in places}
        moved = [oid for oid in indexed if oid not in found]
        for number, position, length, kind, oid in places:
            raw = self._segment(number, oid)
            if raw is None:  # what is used was put elsewhere while garbage was collected
                moved.append(oid)
            else:
                yield verified(RawObject(oid, kind, raw[position : position + length]))
        yield from map(self._read, moved)

    def _places(self, oids: list[bytes]) -> list[_Place]:
        places: list[_Place] = []
        for some in _groups(oids, LOOKED_UP):
            # One statement for any number: the last id stands for those that are lacking.
            filled = (*some, *[some[-1]] * (LOOKED_UP - len(some)))
            rows = self._database.ask_cursor(partial(self._look_up, filled))
            places += [(*place, bytes(oid)) for oid, *place in rows]
        places.sort()
        return places

    def _look_up(self, oids: tuple[bytes, ...], cursor: Any) -> list[Any]:
        cursor.execute(self._sql.find_objects, (self._repository, *oids))
        return list(cursor.fetchall())


def _groups(oids: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    rest = iter(oids)
    while group := list(islice(rest, size)):
        yield group


def verified(found: RawObject) -> RawObject:
    """The object. Raises ``DamagedHistory`` where it is not what its id says."""
    if not 1 <= found.kind <= 3 or object_id(found.kind, found.data) != found.oid:
        raise DamagedHistory(found.oid.hex(), "has other bytes than its id says")
    return found
