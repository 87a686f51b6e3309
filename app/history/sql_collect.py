"""Dropping from a database the objects that no ref reaches, so that their bytes are really free.

Looked for without a lock, dropped under that of the repository's row, where whoever makes a ref waits as well:
what has come to be reached meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from app.crash_points import reached
from app.db.models import objects, refs, repositories, segments
from app.db.session import Database
from app.history.base import Collected, RawObject, Store, object_id
from app.history.reachable import reachable_ids
from app.history.segments import make_segments, open_segment

INDEX_ROW_BYTES: Final = 42
"""What a row of the object index takes, about: measured on SQLite."""

_REWRITE_ABOVE: Final = 0.1
"""A segment of which more than this part is garbage is written anew without it."""


class _Place(NamedTuple):
    oid: bytes
    segment: int
    position: int
    length: int
    kind: int


def collect(
    database: Database, store: Store, repository: int, also: Collection[bytes], *, dry_run: bool
) -> Collected:
    """See :meth:`app.history.base.Store.collect`. The caller has folded the journal."""
    kept = reachable_ids(store, [*store.refs().values(), *also])
    with database.read() as connection:
        garbage = {place.oid for place in _places(connection, repository) if place.oid not in kept}
    if not garbage:
        return Collected(0, 0)

    def work(connection: Connection) -> Collected:
        asking = select(repositories.c.number).where(repositories.c.number == repository).with_for_update()
        if connection.execute(asking).scalar() is None:
            return Collected(0, 0)
        names = select(refs.c.target).where(refs.c.repository == repository, refs.c.target.is_not(None))
        made = set(connection.execute(names).scalars()) - kept
        dropped = garbage - reachable_ids(store, made, without=kept) if made else garbage
        return _drop(connection, repository, dropped, dry_run)

    return database.transact(work)


def _places(connection: Connection, repository: int) -> list[_Place]:
    columns = (objects.c.oid, objects.c.segment, objects.c.position, objects.c.length, objects.c.kind)
    rows = connection.execute(select(*columns).where(objects.c.repository == repository))
    return [_Place(*row) for row in rows]


def _drop(connection: Connection, repository: int, garbage: Collection[bytes], dry_run: bool) -> Collected:
    there = _places(connection, repository)
    dead = [place for place in there if place.oid in garbage]
    if not dead:
        return Collected(0, 0)
    touched = {place.segment for place in dead}
    live: dict[int, list[_Place]] = {number: [] for number in touched}
    for place in there:
        if place.segment in touched and place.oid not in garbage:
            live[place.segment].append(place)
    before = _bytes(connection, repository)
    anew, gone = _rewritable(connection, live, dead)
    _drop_index_rows(connection, repository, [place.oid for place in dead])
    _move(connection, repository, anew)
    if gone:
        connection.execute(
            delete(segments).where(segments.c.id.in_(bindparam("gone", expanding=True))), {"gone": gone}
        )
    counting = update(repositories).where(repositories.c.number == repository)
    connection.execute(counting.values(collected=repositories.c.collected + 1))
    freed = before - _bytes(connection, repository) + len(dead) * INDEX_ROW_BYTES
    if dry_run:
        connection.rollback()
    else:
        reached("collect.dropped")
    return Collected(len(dead), max(freed, 0))


def _bytes(connection: Connection, repository: int) -> int:
    asking = select(func.sum(func.length(segments.c.data))).where(segments.c.repository == repository)
    return int(connection.execute(asking).scalar() or 0)


def _rewritable(
    connection: Connection, live: dict[int, list[_Place]], dead: list[_Place]
) -> tuple[list[RawObject], list[int]]:
    """What is to be written anew, and which segments can go then: those with much garbage, or nothing else."""
    lost: dict[int, int] = dict.fromkeys(live, 0)
    for place in dead:
        lost[place.segment] += place.length
    anew: list[RawObject] = []
    gone: list[int] = []
    for number, places in live.items():
        kept_bytes = sum(place.length for place in places)
        if not places:
            gone.append(number)
        elif lost[number] > _REWRITE_ABOVE * (lost[number] + kept_bytes):
            found = _read(connection, number, places)
            if found is not None:
                anew += found
                gone.append(number)
    return anew, gone


def _read(connection: Connection, number: int, places: list[_Place]) -> list[RawObject] | None:
    """The objects of a segment; ``None`` where one is damaged: it is left as it is, for who can mend it."""
    asking = select(segments.c.data, segments.c.raw_bytes).where(segments.c.id == number)
    row = connection.execute(asking).one_or_none()
    raw = open_segment(row.data, row.raw_bytes) if row is not None else None
    if raw is None:
        return None
    found = [
        RawObject(place.oid, place.kind, raw[place.position : place.position + place.length])
        for place in places
    ]
    whole = all(1 <= item.kind <= 3 and object_id(item.kind, item.data) == item.oid for item in found)
    return found if whole else None


def _drop_index_rows(connection: Connection, repository: int, oids: list[bytes]) -> None:
    one = delete(objects).where(objects.c.repository == repository, objects.c.oid == bindparam("gone"))
    connection.execute(one, [{"gone": oid} for oid in sorted(oids)])


def _move(connection: Connection, repository: int, items: list[RawObject]) -> None:
    """Write objects as new segments, and have the index point there."""
    if not items:
        return
    one = update(objects).where(objects.c.repository == repository, objects.c.oid == bindparam("which"))
    moving = one.values(segment=bindparam("to"), position=bindparam("at"))
    rows = []
    for data, raw_bytes, places in make_segments(items):
        adding = insert(segments).values(repository=repository, raw_bytes=raw_bytes, data=data)
        key = connection.execute(adding).inserted_primary_key
        assert key is not None
        rows += [{"which": oid, "to": key[0], "at": position} for oid, position, _, _ in places]
    connection.execute(moving, sorted(rows, key=lambda row: row["which"]))
