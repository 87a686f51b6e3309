"""Folders of variables compared by their ids: what changed, where one lies, and the newest commit of two lines."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import DamagedHistory
from app.history.base import Kind, RawObject, RefMove, object_id
from app.history.codec import Snapshot, SnapshotWriter
from app.history.commits import commit_bytes
from app.history.memory_store import MemoryStoreFactory
from app.history.repository import HEADS, Repository
from app.history.snapshots import SnapshotReader
from app.history.trees import ObjectSink
from app.history.value_cache import ValueCache
from app.history.variable_trees import VariableTrees, WatchedVariable

NAMES = ["a", "b", "Name", "name", "NAME", "con", "_0", "_", *(f"v{n}" for n in range(400))]


class CountingStore:
    """A store of objects alone that counts what is read."""

    def __init__(self) -> None:
        self.objects: dict[bytes, RawObject] = {}
        self.reads: list[bytes] = []

    def read(self, oid: bytes) -> RawObject:
        self.reads.append(oid)
        if oid not in self.objects:
            raise DamagedHistory(oid.hex(), "is missing")
        return self.objects[oid]

    def folder(self, variables: dict[str, Any]) -> bytes | None:
        """The id of ``vars/`` of a state with these variables."""
        sink = ObjectSink()
        tree = SnapshotWriter.of(Snapshot({}, {}, {}, None, variables), sink).tree({})
        self.objects.update({raw.oid: raw for raw in sink.drain()})
        entry = SnapshotReader(self).top(tree).get("vars")  # type: ignore[arg-type]
        return entry.oid if entry is not None else None

    def reader(self) -> SnapshotReader:
        return SnapshotReader(self)  # type: ignore[arg-type]


states = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2), max_size=8)
wide = {f"v{n}": 0 for n in range(200)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), states), min_size=2, max_size=6), st.sampled_from(NAMES))
def test_what_changed_and_where_one_lies_is_what_the_values_say(
    drawn: list[tuple[bool, dict[str, int]]], name: str
) -> None:
    versions = [{**(wide if is_wide else {}), **state} for is_wide, state in drawn]
    store = CountingStore()
    folders = [store.folder(version) for version in versions]
    trees = VariableTrees(store.reader())
    watched = WatchedVariable(trees, name)
    for (old, was), (new, is_now) in pairwise(zip(folders, versions, strict=True)):
        expected = {
            each for each in was.keys() | is_now.keys() if was.get(each, "none") != is_now.get(each, "none")
        }
        assert set(trees.changes(old, new)) == expected
    for folder, version in zip(folders, versions, strict=True):
        entry = watched.find(folder)
        assert (entry is not None) == (name in version)
        if entry is not None:
            assert store.reader().value(entry) == version[name]


def test_only_the_part_that_differs_is_read() -> None:
    store = CountingStore()
    old = store.folder({f"v{n}": n for n in range(5_000)})
    new = store.folder({**{f"v{n}": n for n in range(5_000)}, "v7": "other"})
    trees = VariableTrees(store.reader())
    store.reads.clear()
    assert list(trees.changes(old, new)) == ["v7"]
    assert len(store.reads) <= 10
    watched = WatchedVariable(trees, "v8")
    store.reads.clear()
    assert watched.find(old) == watched.find(new)
    assert len(store.reads) <= 2


def test_a_variable_whose_file_was_renamed_has_not_changed() -> None:
    store = CountingStore()
    old, new = store.folder({"Name": 1}), store.folder({"Name": 1, "name": 2})
    trees = VariableTrees(store.reader())
    assert list(trees.changes(old, new)) == ["name"]
    entries = [WatchedVariable(trees, "Name").find(folder) for folder in (old, new)]
    assert [entry.name for entry in entries if entry is not None] == ["Name.json", "name%=1.json"]


def test_a_folder_that_fans_out_for_ever_ends() -> None:
    store = CountingStore()
    oid = b"\x01" * 20
    store.objects[oid] = RawObject(oid, Kind.TREE, b"".join(b"40000 _%x\0%s" % (n, oid) for n in range(16)))
    assert WatchedVariable(VariableTrees(store.reader()), "v").find(oid) is None


def test_versions_of_a_list_share_what_they_share() -> None:
    store = CountingStore()
    rows = [f"row {n} {'x' * 80}" for n in range(2_000)]
    versions = [rows[:1_990], rows, [*rows, "end"]]
    folders = [store.folder({"rows": version}) for version in versions]
    trees, cache = VariableTrees(store.reader()), ValueCache(store.reader())
    watched = WatchedVariable(trees, "rows")
    read = []
    for folder, version in zip(folders, versions, strict=True):
        entry = watched.find(folder)
        assert entry is not None
        store.reads.clear()
        assert cache.value(entry) == version
        read.append(len(store.reads))
    assert read[0] > 40
    assert max(read[1:]) <= 8


def test_a_cache_that_is_full_lets_go() -> None:
    store = CountingStore()
    folders = [store.folder({"text": str(n) * 1_000}) for n in range(10)]
    trees = VariableTrees(store.reader())
    watched = WatchedVariable(trees, "text")
    cache = ValueCache(store.reader(), max_bytes=3_000)
    for _ in range(2):
        for n, folder in enumerate(folders):
            entry = watched.find(folder)
            assert entry is not None
            assert cache.value(entry) == str(n) * 1_000
    assert cache._bytes <= 3_000
    assert len(cache._parsed) == 2


@pytest.fixture
def repository() -> Repository:
    return Repository(MemoryStoreFactory().create("task"))


def line(repository: Repository, length: int, parent: bytes | None, word: str) -> list[bytes]:
    """Commits one behind the other, oldest first."""
    ids = []
    for number in range(length):
        data = commit_bytes(bytes(20), () if parent is None else (parent,), number, f"{word} {number}\n")
        parent = object_id(Kind.COMMIT, data)
        repository.store.write([RawObject(parent, Kind.COMMIT, data)])
        ids.append(parent)
    return ids


@pytest.mark.parametrize(("ahead", "behind"), [(0, 0), (0, 5), (5, 0), (3, 3), (1, 9), (9, 1)])
def test_the_common_ancestor_is_the_newest_commit_of_both(
    repository: Repository, ahead: int, behind: int
) -> None:
    trunk = line(repository, 6, None, "trunk")
    for at in (0, 2, 5):
        one = [trunk[at], *line(repository, ahead, trunk[at], "one")][-1]
        other = [trunk[at], *line(repository, behind, trunk[at], "other")][-1]
        found = repository.common_ancestor(one, other)
        assert found is not None
        assert found.oid == trunk[at]
    assert repository.common_ancestor(trunk[1], line(repository, 4, None, "elsewhere")[-1]) is None


def test_the_common_ancestor_is_found_without_reading_what_lies_before(repository: Repository) -> None:
    trunk = line(repository, 500, None, "trunk")
    other = line(repository, 2, trunk[-2], "other")[-1]
    fresh = Repository(repository.store)
    assert fresh.common_ancestor(trunk[-1], other).oid == trunk[-2]  # type: ignore[union-attr]
    assert fresh.commit.cache_info().misses < 10
    fresh.store.write((), [RefMove(HEADS + "main", None, trunk[-1])])
    assert fresh.resolve("main").oid == trunk[-1]
