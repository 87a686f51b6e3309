"""What is wrong with a history in a database: segments, index rows, journal rows, refs, each looked at by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Row, select

from app.db.models import journal, objects, refs, segments
from app.db.raw_rows import raw_rows
from app.db.session import Database
from app.errors import InvalidName
from app.history.base import Damage, object_id
from app.history.refnames import check_ref_name
from app.history.segments import open_segment, read_journal_row, whole_journal_row
from app.history.sql_journal import fits_number

_KINDS: Final = (1, 2, 3)


def find_damage(database: Database, repository: int) -> Iterator[Damage]:
    """See :meth:`app.history.base.Store.damage`."""
    yield from _refs(database, repository)
    yield from _journal(database, repository)
    yield from _segments(database, repository)


def _refs(database: Database, repository: int) -> Iterator[Damage]:
    for row in raw_rows(database, refs, refs.c.repository == repository):
        what = f"ref {row.values['name']}"
        for problem in row.problems:
            yield Damage(what, problem)
        target, fence = row.values["target"], row.values["fence"]
        if target is not None and len(target) != 20:
            yield Damage(what, "points to what is no id")
        if type(fence) is int and fence < 0:
            yield Damage(what, f"has the fence {fence}")
        try:
            check_ref_name(str(row.values["name"]))
        except InvalidName as error:
            yield Damage(what, f"has a name that git refuses: {error.message}")


def _journal(database: Database, repository: int) -> Iterator[Damage]:
    with database.read() as connection:
        numbers = list(
            connection.execute(select(journal.c.id).where(journal.c.repository == repository)).scalars()
        )
    for number in numbers:
        asking = select(journal.c.data).where(journal.c.repository == repository, journal.c.id == number)
        with database.read() as connection:
            data = connection.execute(asking).scalar()
        if data is None:  # folded since
            continue
        what = f"journal row {number}"
        if not isinstance(data, bytes):
            yield Damage(what, "is not made of bytes")
        elif not fits_number(number, data):
            yield Damage(what, "is not what was written: its checksum is another")
        elif not whole_journal_row(data):
            yield Damage(what, f"can't be read behind its first {len(read_journal_row(data))} objects")


def _segments(database: Database, repository: int) -> Iterator[Damage]:
    """Each segment once, with the objects that lie in it."""
    for number, places in groupby(_places(database, repository), key=itemgetter(0)):
        yield from _segment(database, repository, number, list(places))
    with database.read() as connection:
        indexed = select(objects.c.segment).where(objects.c.repository == repository)
        asking = select(segments.c.id).where(
            segments.c.repository == repository, segments.c.id.not_in(indexed)
        )
        empty = list(connection.execute(asking).scalars())
    for number in empty:
        yield from _segment(database, repository, number, [])


def _places(database: Database, repository: int) -> list[Row[Any]]:
    columns = (objects.c.segment, objects.c.position, objects.c.length, objects.c.kind, objects.c.oid)
    asking = select(*columns).where(objects.c.repository == repository)
    with database.read() as connection:
        return list(connection.execute(asking.order_by(objects.c.segment)))


def _segment(database: Database, repository: int, number: int, places: list[Row[Any]]) -> Iterator[Damage]:
    what = f"segment {number}"
    asking = select(segments.c.repository, segments.c.raw_bytes, segments.c.data).where(
        segments.c.id == number
    )
    with database.read() as connection:
        row = connection.execute(asking).one_or_none()
        if row is None:
            # Objects may have been moved elsewhere since we looked.
            still = select(objects.c.oid).where(
                objects.c.repository == repository, objects.c.segment == number
            )
            places = [each for each in places if each.oid in set(connection.execute(still).scalars())]
    if row is None:
        if places:
            yield Damage(
                what, f"is missing, and {len(places)} objects lie in it, {places[0].oid.hex()} the first"
            )
        return
    if row.repository != repository:
        yield Damage(
            what, f"belongs to history {row.repository}, but objects of history {repository} lie in it"
        )
    raw = open_segment(row.data, row.raw_bytes)
    if raw is None:
        yield Damage(what, f"can't be read; {len(places)} objects lie in it")
        return
    for _, position, length, kind, oid in places:
        problem = _place_problem(raw, position, length, kind, oid)
        if problem is not None:
            yield Damage(f"object {oid.hex()}", f"{problem} ({what}, from byte {position}, {length} bytes)")


def _place_problem(raw: bytes, position: int, length: int, kind: int, oid: bytes) -> str | None:
    if position < 0 or length < 0 or position + length > len(raw):
        return "lies outside its segment"
    if kind not in _KINDS:
        return f"is of kind {kind}, which there is not"
    if object_id(kind, raw[position : position + length]) != oid:
        return "has other bytes than its id says"
    return None
