"""Trees that no StackVM wrote: reading them says that the history is damaged, and never fails otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from independent_commits import commit_folder
from independent_format import Folder, object_ids

from app.errors import DamagedHistory, NotFound
from app.history.base import Kind, RawObject, object_id
from app.history.memory_store import MemoryStoreFactory
from app.history.snapshots import SnapshotReader

LONG = ["x" * 3_000] * 10
RECORD = {"kind": "step", "value": LONG, "inputs": {"rows": LONG, "n": 1}, "errors": {"0": "e" * 2_000}}
KINDS = {b"commit": Kind.COMMIT, b"tree": Kind.TREE, b"blob": Kind.BLOB}
BLOBS = [b"", b"1\n", b"null\n", b"[]\n", b"{}\n", b'"text"\n', b"NaN\n", b"{", b'"\xff"\n', b'"\xed\xa0\x80"\n',
         b'{"inputs": 1}\n', "[1]\n".encode("utf-16"), b"[" * 100_000, b"9" * 5_000]  # fmt: skip
NAMES = [
    "x",
    "x.json",
    "x.d",
    "@00",
    "@00.d",
    "@01.json",
    "_0",
    "_g",
    "%ff.json",
    "%zz.d",
    "a.txt",
    "inputs",
    ".d",
]


def healthy() -> Folder:
    variables = {"a": LONG, "b": {f"k{n}": "v" * 200 for n in range(140)}, **{f"v{n}": n for n in range(130)}}
    plan = {"version": 1, "steps": []}
    return commit_folder({"goal": "g"}, plan, {"pc": 1}, RECORD, variables, [{"step": 1, "message": "m"}])


def raw_objects(folder: Folder) -> tuple[bytes, list[RawObject]]:
    seen: dict[str, bytes] = {}
    root = bytes.fromhex(object_ids(folder, seen))
    parts = [(bytes.fromhex(oid), *whole.split(b"\0", 1)) for oid, whole in seen.items()]
    return root, [RawObject(oid, KINDS[head.split(b" ")[0]], data) for oid, head, data in parts]


def reader_of(objects: list[RawObject]) -> SnapshotReader:
    store = MemoryStoreFactory().create("t")
    store.write(objects)
    return SnapshotReader(store)


def read_everything(reader: SnapshotReader, root: bytes) -> Iterator[Callable[[], Any]]:
    yield lambda: reader.snapshot(root)
    for part in (reader.goal, reader.plan, reader.control, reader.record, reader.variable_entries):
        yield lambda part=part: part(root)
    yield lambda: reader.variable(root, "a")


def assert_only_damage(reader: SnapshotReader, root: bytes) -> int:
    """How many ways of reading met the damage."""
    met = 0
    for read in read_everything(reader, root):
        try:
            read()
        except DamagedHistory:
            met += 1
        except NotFound:
            pass
    return met


def folders_in(folder: Folder) -> list[Folder]:
    inner = [found for part in folder.values() if isinstance(part, dict) for found in folders_in(part)]
    return [folder, *inner]


def damage(chance: random.Random, root: Folder) -> None:
    """Change one entry of one folder."""
    folder = chance.choice(folders_in(root))
    name = chance.choice(list(folder)) if folder else "x"
    part = folder.pop(name, b"")
    kind = chance.randrange(5)
    if kind == 1:
        folder[name] = chance.choice(BLOBS)
    elif kind == 2:
        folder[name] = {chance.choice(NAMES): chance.choice(BLOBS)} if chance.randrange(4) else {}
    elif kind == 3:
        folder[chance.choice(NAMES)] = part
    elif kind == 4:
        folder[name] = chance.choice(folders_in(healthy()))


@pytest.mark.parametrize("group", range(4))
def test_a_changed_tree_is_damage_or_another_state(group: int) -> None:
    met = 0
    for seed in range(group, 120, 4):
        chance = random.Random(seed)
        folder = healthy()
        for _ in range(chance.choice([1, 1, 2, 5])):
            damage(chance, folder)
        root, objects = raw_objects(folder)
        met += assert_only_damage(reader_of(objects), root)
    assert met


def test_a_missing_object_is_damage() -> None:
    root, objects = raw_objects(healthy())
    for missing in random.Random(1).sample(objects, 30):
        reader = reader_of([item for item in objects if item is not missing])
        assert assert_only_damage(reader, root)


@pytest.mark.parametrize("mode", [b"40000", b"100644", b"120000", b"160000", b"0", b""])
@pytest.mark.parametrize("name", [b"a.json", b"a.d", b"_0", b"_g", b"\xff.json", b"%ff.d", b""])
def test_entries_with_wrong_modes_and_names_are_damage(mode: bytes, name: bytes) -> None:
    whole, objects = raw_objects(healthy())
    for item in random.Random(2).sample(objects, 10):
        folder = mode + b" " + name + b"\0" + item.oid
        folder_id = object_id(Kind.TREE, folder)
        top = next(raw.data for raw in objects if raw.oid == whole)
        at = top.index(b"40000 vars\0") + 11
        top = top[:at] + folder_id + top[at + 20 :]
        root = object_id(Kind.TREE, top)
        extra = [RawObject(folder_id, Kind.TREE, folder), RawObject(root, Kind.TREE, top)]
        assert_only_damage(reader_of([*objects, *extra]), root)


@given(st.binary(max_size=80))
def test_any_bytes_as_a_tree_are_damage(data: bytes) -> None:
    root = object_id(Kind.TREE, data)
    with pytest.raises(DamagedHistory):
        reader_of([RawObject(root, Kind.TREE, data)]).snapshot(root)


@pytest.mark.parametrize("name", ["vars", "record"])
@pytest.mark.parametrize("inner", ["_0", "x.d", "@00"])
def test_folders_without_end_are_damage(name: str, inner: str) -> None:
    objects = [RawObject(object_id(Kind.BLOB, b"1\n"), Kind.BLOB, b"1\n")]
    oid = objects[0].oid
    for mode, entry in [
        (b"100644", b"x.json"),
        *[(b"40000", inner.encode())] * 3_000,
        (b"40000", name.encode()),
    ]:
        top = b"100644 format\0" + objects[0].oid if entry == name.encode() else b""
        data = top + mode + b" " + entry + b"\0" + oid
        oid = object_id(Kind.TREE, data)
        objects.append(RawObject(oid, Kind.TREE, data))
    assert assert_only_damage(reader_of(objects), oid)


def test_what_was_not_damaged_is_read() -> None:
    root, objects = raw_objects(healthy())
    reader = reader_of(objects)
    assert assert_only_damage(reader, root) == 0
    assert reader.record(root) == RECORD
