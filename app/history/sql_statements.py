"""The SQL of the hot paths, rendered once for the database's driver: each takes its values as a tuple."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from app.db.models import journal, objects, refs, repositories, segments
from app.db.session import Database
from app.db.upsert import insert_ignoring

_REPOSITORY: Final = "repository"

LOOKED_UP: Final = 256
"""How many objects are looked up in the index by one statement."""


class StoreStatements:
    """One attribute a statement; the comment says which values it takes."""

    def __init__(self, database: Database) -> None:
        prepare = database.prepare
        repository = _REPOSITORY

        # (repository, id, data)
        self.add_to_journal = prepare(insert(journal), repository, "id", "data")
        # (repository)
        in_journal = _own(journal)
        self.journal_ids = prepare(select(journal.c.id).where(in_journal), repository)
        rows = select(journal.c.id, journal.c.data).where(in_journal)
        self.journal_rows = prepare(rows, repository)
        self.journal_rows_locked = prepare(rows.with_for_update(), repository)
        # (repository, id)
        one_row = (in_journal, journal.c.id == bindparam("id"))
        self.journal_row = prepare(select(journal.c.data).where(*one_row), repository, "id")
        self.drop_from_journal = prepare(delete(journal).where(*one_row), repository, "id")

        # (repository, raw_bytes, data); the new number is read by `new_segment`
        adding = insert(segments).values(
            repository=bindparam(repository), raw_bytes=bindparam("raw_bytes"), data=bindparam("data")
        )
        self._returns_number = database.kind == "postgresql"
        if self._returns_number:
            adding = adding.returning(segments.c.id)
        self.add_segment = prepare(adding.inline(), repository, "raw_bytes", "data")
        # (id)
        one_segment = segments.c.id == bindparam("id")
        self.segment = prepare(select(segments.c.data, segments.c.raw_bytes).where(one_segment), "id")
        self.drop_segment = prepare(delete(segments).where(one_segment), "id")

        # (repository, oid, segment, position, length, kind)
        self.index_object = prepare(
            insert_ignoring(database.kind, objects),
            *(repository, "oid", "segment", "position", "length", "kind"),
        )
        # (repository, oid)
        place = select(objects.c.segment, objects.c.position, objects.c.length, objects.c.kind)
        self.find_object = prepare(
            place.where(_own(objects), objects.c.oid == bindparam("oid")), repository, "oid"
        )
        # (repository, oid, oid, …): LOOKED_UP ids
        many = [f"oid{number}" for number in range(LOOKED_UP)]
        places = select(objects.c.oid, *place.selected_columns)
        self.find_objects = prepare(
            places.where(_own(objects), objects.c.oid.in_([bindparam(name) for name in many])),
            *(repository, *many),
        )
        # (repository, segment): no index leads there, it looks at all objects of the repository
        self.find_in_segment = prepare(
            select(objects.c.oid, objects.c.position, objects.c.length, objects.c.kind).where(
                _own(objects), objects.c.segment == bindparam("segment")
            ),
            *(repository, "segment"),
        )
        # (repository, first, last), (repository, first, last, kind)
        between = (
            select(objects.c.oid)
            .where(_own(objects), objects.c.oid.between(bindparam("first"), bindparam("last")))
            .order_by(objects.c.oid)
        )
        self.ids_between = prepare(between, repository, "first", "last")
        self.ids_of_kind_between = prepare(
            between.where(objects.c.kind == bindparam("kind")), repository, "first", "last", "kind"
        )
        # (repository)
        self.segment_bytes = prepare(
            select(func.sum(func.length(segments.c.data))).where(_own(segments)), repository
        )
        self.journal_bytes = prepare(
            select(func.sum(func.length(journal.c.data))).where(in_journal), repository
        )
        self.object_count = prepare(
            select(func.count()).select_from(objects).where(_own(objects)), repository
        )

        self._prepare_refs(database)

    def _prepare_refs(self, database: Database) -> None:
        prepare = database.prepare
        repository = _REPOSITORY
        # (repository)
        self.lock_repository = prepare(
            select(repositories.c.collected)
            .where(repositories.c.number == bindparam(repository))
            .with_for_update(),
            repository,
        )
        all_refs = select(refs.c.name, refs.c.target, refs.c.fence).where(_own(refs))
        self.all_refs = prepare(all_refs, repository)
        self.all_refs_locked = prepare(all_refs.with_for_update(), repository)
        # (repository, name)
        one_ref = (_own(refs), refs.c.name == bindparam("ref"))
        self.ref = prepare(select(refs.c.target, refs.c.fence).where(*one_ref), repository, "ref")
        # (new, repository, name, old), (new, repository, name, old, fence)
        moving = (
            update(refs).where(*one_ref, refs.c.target == bindparam("old")).values(target=bindparam("new"))
        )
        self.move_ref = prepare(moving, "new", repository, "ref", "old")
        self.move_fenced_ref = prepare(
            moving.where(refs.c.fence == bindparam("mine")), "new", repository, "ref", "old", "mine"
        )
        # (new, repository, name)
        self.set_ref = prepare(
            update(refs).where(*one_ref).values(target=bindparam("new")), "new", repository, "ref"
        )
        # (repository, name, target, fence)
        self.add_ref = prepare(insert(refs), repository, "name", "target", "fence")
        # (new fence, repository, name, new fence)
        self.raise_fence = prepare(
            update(refs).where(*one_ref, refs.c.fence <= bindparam("most")).values(fence=bindparam("new")),
            *("new", repository, "ref", "most"),
        )

    def new_segment(self, cursor: Any) -> int:
        """The number of the segment that ``cursor`` just added."""
        return int(cursor.fetchone()[0] if self._returns_number else cursor.lastrowid)


def _own(table: Any) -> Any:
    return table.c.repository == bindparam(_REPOSITORY)
