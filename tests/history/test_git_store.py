"""The git store against the stock git client, and the merging of packs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from git_objects import MAIN, blob, git, grow_text, packs, step, write_line

from app.errors import StorageError
from app.history.base import RefMove
from app.history.git_store import GitStore, GitStoreFactory
from app.history.packs import build_pack, pack_entry


@pytest.fixture
def factory(tmp_path: Path) -> GitStoreFactory:
    return GitStoreFactory(tmp_path / "repositories")


@pytest.fixture
def store(factory: GitStoreFactory) -> GitStore:
    return factory.create("task")


# the stock client reads it


def test_fsck_finds_nothing_at_any_stage(store: GitStore) -> None:
    assert git(store.folder, "fsck", "--strict").startswith("notice: ")
    write_line(store, MAIN, 40)
    write_line(store, "refs/heads/a/b", 3)
    assert git(store.folder, "fsck", "--strict", "--full") == ""
    store.finish()
    assert git(store.folder, "fsck", "--strict", "--full") == ""


def test_git_log_shows_the_steps(store: GitStore) -> None:
    made = write_line(store, MAIN, 3)
    assert git(store.folder, "log", "--format=%H %s").split("\n")[0] == f"{made[2].hex()} step 2"
    assert "+at 2" in git(store.folder, "log", "-p", "-1")


def test_git_clones_it(store: GitStore, tmp_path: Path) -> None:
    write_line(store, MAIN, 5)
    git(tmp_path, "clone", "--quiet", str(store.folder), "copy")
    assert (tmp_path / "copy" / "state.json").read_text() == "at 4\n"


def test_verify_pack_agrees_with_our_index(store: GitStore) -> None:
    store.write([blob(bytes([number % 256]) * number) for number in range(0, 40_000, 997)])
    said = git(store.folder, "verify-pack", "-v", str(packs(store)[0].with_suffix(".idx")))
    assert said.count(" blob ") == len(list(store.object_ids()))


def test_one_write_is_one_pack(store: GitStore) -> None:
    store.write([blob(f"{number}") for number in range(100)])
    assert len(packs(store)) == 1
    store.write([blob("5"), blob("6")])
    assert len(packs(store)) == 1


# the stock client writes it


def test_reads_what_git_gc_packed(store: GitStore, factory: GitStoreFactory) -> None:
    heads = grow_text(store, 30)
    before = {oid: store.read(oid) for oid in store.object_ids()}
    git(store.folder, "gc", "--quiet", "--aggressive")
    assert "chain length" in git(store.folder, "verify-pack", "-v", str(packs(store)[0].with_suffix(".idx")))
    for seen in (store, factory.open("task")):
        assert {oid: seen.read(oid) for oid in seen.object_ids()} == before
        assert seen.find_commits(heads[3].hex()) == [heads[3]]
        assert seen.refs() == {MAIN: heads[-1]}
    assert not (store.folder / MAIN).exists(), "git gc packs the refs"


def test_goes_on_after_git_gc(store: GitStore) -> None:
    grow_text(store, 5)
    git(store.folder, "gc", "--quiet")
    heads = write_line(store, "refs/heads/other", 40)
    head = store.ref(MAIN)
    objects = step(99, head)
    store.write(objects, [RefMove(MAIN, head, objects[-1].oid)])
    store.finish()
    assert store.refs() == {MAIN: objects[-1].oid, "refs/heads/other": heads[-1]}
    assert git(store.folder, "fsck", "--strict", "--full") == ""


def test_deletes_a_ref_that_git_packed(store: GitStore) -> None:
    (head,) = write_line(store, MAIN, 1)
    store.write([], [RefMove("refs/heads/b", None, head), RefMove("refs/tags/c", None, head)])
    git(store.folder, "pack-refs", "--all")
    store.write([], [RefMove("refs/heads/b", head, None)])
    assert store.refs() == {MAIN: head, "refs/tags/c": head}
    assert git(store.folder, "for-each-ref", "--format=%(refname)").split() == [MAIN, "refs/tags/c"]


def test_reads_what_was_pushed_into_it(store: GitStore, tmp_path: Path) -> None:
    write_line(store, MAIN, 2)
    git(tmp_path, "clone", "--quiet", str(store.folder), "copy")
    copy = tmp_path / "copy"
    (copy / "new.txt").write_text("new\n")
    git(copy, "add", "new.txt")
    git(copy, "commit", "--quiet", "-m", "by hand")
    git(copy, "tag", "-a", "v1", "-m", "a tag")
    git(copy, "push", "--quiet", "origin", "main:edited", "v1")
    edited = store.ref("refs/heads/edited")
    assert edited is not None and store.find_commits(edited.hex()[:8]) == [edited]
    assert b"by hand" in store.read(edited).data
    assert store.read(blob("new\n").oid) == blob("new\n")
    assert store.read(store.refs()["refs/tags/v1"]).data.startswith(b"object ")


def test_reads_loose_objects(store: GitStore) -> None:
    oid = bytes.fromhex(git(store.folder, "hash-object", "-w", "--stdin", stdin=b"loose").strip())
    assert store.read(oid) == blob("loose")
    assert store.has(oid) and oid in set(store.object_ids())
    store.write([blob("loose")])
    assert list(store.object_ids()) == [oid]


def test_waits_while_git_holds_a_ref(store: GitStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.history.git_locks._PATIENCE_SECONDS", 0.05)
    (head,) = write_line(store, MAIN, 1)
    lock = store.folder / f"{MAIN}.lock"
    lock.write_bytes(b"")
    with pytest.raises(StorageError, match="git holds"):
        store.write([], [RefMove(MAIN, head, None)])
    assert store.ref(MAIN) == head and lock.exists()
    lock.unlink()
    store.write([], [RefMove(MAIN, head, None)])


def test_follows_a_symbolic_ref(store: GitStore) -> None:
    (head,) = write_line(store, MAIN, 1)
    git(store.folder, "symbolic-ref", "refs/heads/alias", MAIN)
    assert store.ref("refs/heads/alias") == head


# merging


def test_many_small_packs_become_few(store: GitStore) -> None:
    made = write_line(store, MAIN, 200)
    assert len(packs(store)) <= 40
    store.finish()
    assert len(packs(store)) <= 6
    assert all(store.has(oid) for oid in made)


def test_merging_keeps_each_object_once(store: GitStore, factory: GitStoreFactory) -> None:
    blind = factory.open("task")
    store.write([blob("a"), blob("b")])
    blind.write([blob("a"), blob("c")])
    assert len(packs(store)) == 2
    store.finish()
    assert len(packs(store)) == 1
    said = git(store.folder, "verify-pack", "-v", str(packs(store)[0].with_suffix(".idx")))
    assert said.count(" blob ") == 3


def test_a_reader_survives_the_merging_of_its_packs(store: GitStore, factory: GitStoreFactory) -> None:
    made = write_line(store, MAIN, 20)
    reader = factory.open("task")
    late = write_line(store, "refs/heads/late", 3)
    store.finish()
    assert [reader.read(oid).oid for oid in made + late] == made + late


def test_leaves_alone_packs_that_git_marked(store: GitStore) -> None:
    write_line(store, MAIN, 3)
    for path in packs(store):
        path.with_suffix(".keep").touch()
    before = packs(store)
    store.finish()
    assert packs(store) == before


def test_clears_away_what_killed_processes_left(store: GitStore) -> None:
    folder = store.folder / "objects" / "pack"
    old, new, orphan = (folder / name for name in ("tmp_stackvm_1_1", "tmp_pack_new", "pack-00.pack"))
    own = store.folder / "stackvm" / "tmp_stackvm_1_2"
    for path in (old, new, orphan, own):
        path.write_bytes(b"half")
    for path in (old, orphan):
        os.utime(path, (time.time() - 7200,) * 2)
    store.finish()
    assert [path.exists() for path in (old, new, orphan, own)] == [False, True, False, False]


# packs as bytes


@pytest.mark.parametrize("size", [0, 1, 15, 16, 2047, 2048, 262143, 262144])
def test_sizes_around_the_steps_of_the_header(tmp_path: Path, size: int) -> None:
    image = build_pack([blob(b"x" * size)])
    path = tmp_path / "pack-1.pack"
    path.write_bytes(image.pack_bytes)
    git(tmp_path, "init", "--quiet", "--bare", ".")
    git(tmp_path, "index-pack", "--strict", "-o", "git.idx", str(path))
    assert (tmp_path / "git.idx").read_bytes() == image.index_bytes


def test_small_and_large_objects_are_compressed(tmp_path: Path) -> None:
    for size in (1_000, 30_000, 1_000_000):
        assert len(pack_entry(3, b"ab" * (size // 2))) < size / 20
