"""Namespaces in the database."""

from __future__ import annotations

import pytest

from app.db.base import NamespaceRow
from app.db.namespaces import SqlNamespaces
from app.db.session import Database
from app.errors import Conflict, NotFound

ROW = NamespaceRow("files", ("read_*", "search_text"), "Looks at files", {"deny": ["x"], "n": 1}, 5, 5)


@pytest.fixture
def namespaces(database: Database) -> SqlNamespaces:
    return SqlNamespaces(database)


def test_a_namespace_is_kept_as_it_was_made(namespaces: SqlNamespaces) -> None:
    bare = NamespaceRow("bare", ())
    odd = NamespaceRow("odd", ("größe", '"'), "\U0001f40d '\\\n", {"nul": "\0", "half": "\ud800"})
    for row in (ROW, bare, odd):
        namespaces.create(row)
        assert namespaces.get(row.name) == row


def test_a_name_is_given_once(namespaces: SqlNamespaces) -> None:
    namespaces.create(ROW)
    with pytest.raises(Conflict, match="files"):
        namespaces.create(NamespaceRow("files", ()))
    namespaces.create(NamespaceRow("Files", ()))
    assert namespaces.get("files") == ROW


def test_updating_replaces_all_but_when_it_was_made(namespaces: SqlNamespaces) -> None:
    namespaces.create(ROW)
    namespaces.update(NamespaceRow("files", ("*",), "All", {}, created_ms=99, updated_ms=9))
    assert namespaces.get("files") == NamespaceRow("files", ("*",), "All", {}, 5, 9)
    namespaces.update(NamespaceRow("files", ("*",), "All", {}, updated_ms=9))  # nothing changes


def test_deleting_takes_one(namespaces: SqlNamespaces) -> None:
    namespaces.create(ROW)
    namespaces.create(NamespaceRow("other", ()))
    namespaces.delete("files")
    assert [row.name for row in namespaces.list()] == ["other"]


def test_lists_all_by_name(namespaces: SqlNamespaces) -> None:
    for name in ("b", "a", "C"):
        namespaces.create(NamespaceRow(name, ()))
    assert [row.name for row in namespaces.list()] == ["C", "a", "b"]


def test_what_is_not_there_is_told_with_the_nearest_name(namespaces: SqlNamespaces) -> None:
    namespaces.create(ROW)
    for act in (namespaces.get, namespaces.delete, lambda name: namespaces.update(NamespaceRow(name, ()))):
        with pytest.raises(NotFound, match="did you mean files") as raised:
            act("fils")
        assert (raised.value.kind, raised.value.name) == ("namespace", "fils")
    with pytest.raises(NotFound, match="namespace list"):
        namespaces.get("zebra\0")
