"""Histories as one file: written, read by git, and every damage noticed."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from app.errors import InputError
from app.history.base import Kind, RawObject, RefMove, Store, object_id
from app.history.bundles import bundle_bytes, load_bundle, read_bundle
from app.history.commits import commit_bytes
from app.history.memory_store import MemoryStoreFactory


def raw(kind: int, data: bytes) -> RawObject:
    return RawObject(object_id(kind, data), kind, data)


@pytest.fixture
def store() -> Store:
    """Two branches of three commits each, one shared."""
    made = MemoryStoreFactory().create("task")
    chance = random.Random(1)
    heads: dict[str, bytes] = {}
    parents: tuple[bytes, ...] = ()
    for number in range(5):
        blob = raw(Kind.BLOB, chance.randbytes(500) + b"%d\n" % number)
        tree = raw(Kind.TREE, b"100644 file\0" + blob.oid)
        commit = raw(Kind.COMMIT, commit_bytes(tree.oid, parents, number, f"commit {number}\n"))
        made.write([blob, tree, commit])
        parents = (commit.oid,)
        if number in (2, 4):
            heads[f"refs/heads/b{number}"] = commit.oid
            parents = (commit.oid,) if number == 4 else parents
    made.write([], [RefMove(name, None, oid) for name, oid in heads.items()])
    return made


def write(store: Store, path: Path) -> Path:
    path.write_bytes(bundle_bytes(store, store.refs()))
    return path


def test_what_was_written_is_read_again(store: Store, tmp_path: Path) -> None:
    other = MemoryStoreFactory().create("other")
    assert load_bundle(other, write(store, tmp_path / "a.bundle")) == store.refs()
    assert sorted(other.object_ids()) == sorted(store.object_ids())
    assert other.refs() == store.refs()


def test_the_same_history_gives_the_same_bytes(store: Store) -> None:
    assert bundle_bytes(store, store.refs()) == bundle_bytes(store, store.refs())


def test_git_reads_it(store: Store, tmp_path: Path) -> None:
    path = write(store, tmp_path / "a.bundle")
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-b", "b4", str(path), str(folder)], check=True)
    log = subprocess.run(
        ["git", "-C", str(folder), "log", "--format=%H"], check=True, capture_output=True, text=True
    )
    assert log.stdout.split()[0] == store.refs()["refs/heads/b4"].hex()
    subprocess.run(["git", "-C", str(folder), "fsck", "--strict"], check=True, capture_output=True)


def test_any_byte_that_changed_is_noticed(store: Store, tmp_path: Path) -> None:
    path = write(store, tmp_path / "a.bundle")
    data = path.read_bytes()
    chance = random.Random(2)
    for position in [0, 5, 30, len(data) - 1, *chance.sample(range(len(data)), 150)]:
        changed = bytearray(data)
        changed[position] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            refs, _ = read_bundle(path)
        except InputError:
            continue
        assert set(refs) != set(store.refs()), f"byte {position}: only a ref's name may change unnoticed"


@pytest.mark.parametrize("length", [0, 3, 40, 200, 900, -1, -20])
def test_a_file_that_is_cut_off_is_noticed(store: Store, tmp_path: Path, length: int) -> None:
    path = write(store, tmp_path / "a.bundle")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError):
        read_bundle(path)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    for name, content in {"text": b"hello", "empty": b"", "pack": b"PACK\0\0\0\2"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError):
            read_bundle(tmp_path / name)
    with pytest.raises(InputError, match="no file"):
        read_bundle(tmp_path / "absent")
    with pytest.raises(InputError):
        read_bundle(tmp_path)
