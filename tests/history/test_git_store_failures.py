"""The git store against damage, full disks, kills and rivals."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from git_objects import MAIN, blob, flip, git, grow_text, packs, step, write_line

from app.errors import BranchMoved, Conflict, DamagedHistory, NotFound, StorageError
from app.history import disk, ref_files
from app.history.base import RefMove
from app.history.git_store import GitStore, GitStoreFactory


@pytest.fixture
def factory(tmp_path: Path) -> GitStoreFactory:
    return GitStoreFactory(tmp_path / "repositories")


@pytest.fixture
def store(factory: GitStoreFactory) -> GitStore:
    return factory.create("task")


# damage


def test_does_not_spread_damage_by_merging(store: GitStore) -> None:
    store.write([blob("sound" * 50)])
    store.write([blob("wrong" * 50)])
    oid = blob("wrong" * 50).oid
    flip(next(path for path in packs(store) if _holds(path, oid)), 16)
    fresh = GitStore(store.folder)
    fresh.finish()
    assert len(packs(store)) == 2
    assert fresh.read(blob("sound" * 50).oid) == blob("sound" * 50)
    with pytest.raises(DamagedHistory, match=oid.hex()):
        fresh.read(oid)


@pytest.mark.parametrize("place", [13, 20, 40, -5])
def test_a_flipped_byte_in_a_pack_is_noticed(store: GitStore, place: int) -> None:
    item = blob(bytes(range(60)))
    store.write([item])
    (path,) = packs(store)
    flip(path, place)
    fresh = GitStore(store.folder)
    if place == -5:
        assert fresh.read(item.oid) == item, "only the checksum of the pack is wrong, as git fsck says"
    else:
        with pytest.raises(DamagedHistory, match=item.oid.hex()):
            fresh.read(item.oid)


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
@pytest.mark.parametrize("left", [0, 5, 40, 1040])
def test_a_file_cut_short_is_noticed(store: GitStore, suffix: str, left: int) -> None:
    item = blob(random.Random(1).randbytes(3000))
    store.write([item])
    path = packs(store)[0].with_suffix(suffix)
    path.chmod(0o644)
    os.truncate(path, left)
    fresh = GitStore(store.folder)
    with pytest.raises(DamagedHistory, match=item.oid.hex()):
        fresh.read(item.oid)
    if suffix == ".idx":
        with pytest.raises(StorageError, match="index"):
            list(fresh.object_ids())


def test_a_flipped_byte_in_an_index_is_noticed(store: GitStore) -> None:
    store.write([blob("a")])
    flip(packs(store)[0].with_suffix(".idx"), 1033)
    with pytest.raises(DamagedHistory, match="checksum"):
        GitStore(store.folder).read(blob("a").oid)


def test_any_flipped_byte_gives_the_object_or_an_error(store: GitStore) -> None:
    grow_text(store, 8)
    ids = list(store.object_ids())
    git(store.folder, "gc", "--quiet", "--aggressive")
    (path,) = packs(store)
    sound = path.read_bytes()
    chance = random.Random(7)
    for _ in range(60):
        path.chmod(0o644)
        path.write_bytes(sound)
        flip(path, chance.randrange(12, len(sound) - 20))
        fresh = GitStore(store.folder)
        refused = sum(_refused(fresh, oid) for oid in ids)
        assert refused >= 1


def test_a_damaged_loose_object_is_noticed(store: GitStore) -> None:
    oid = bytes.fromhex(git(store.folder, "hash-object", "-w", "--stdin", stdin=b"loose").strip())
    path = store.folder / "objects" / oid.hex()[:2] / oid.hex()[2:]
    path.chmod(0o644)
    for content in (b"", b"rubbish", path.read_bytes()[:-6]):
        path.write_bytes(content)
        with pytest.raises(DamagedHistory, match=oid.hex()):
            store.read(oid)


def test_a_ref_file_without_an_id_is_named(store: GitStore) -> None:
    write_line(store, MAIN, 1)
    (store.folder / MAIN).write_bytes(b"")
    with pytest.raises(StorageError, match="refs/heads/main"):
        store.refs()


@pytest.mark.parametrize("content", [b"", b"{", b"\0\0\0\0\0\0\0", b"[1]", b'{"refs/\xff": 1}'])
def test_a_damaged_file_of_ours_is_named(store: GitStore, content: bytes) -> None:
    write_line(store, MAIN, 1)
    for name in ("fences.json", "moves.json"):
        path = store.folder / "stackvm" / name
        path.write_bytes(content)
        with pytest.raises(StorageError, match=name):
            store.raise_fence(MAIN, 2)
        path.unlink()
    store.raise_fence(MAIN, 2)


# the disk says no


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_one_clear_line(
    store: GitStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (head,) = write_line(store, MAIN, 1)
    before = sorted(store.folder.rglob("*"))

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk.os, "fsync", refuse)
    objects = step(5, head)
    with pytest.raises(StorageError, match=os.strerror(number)) as raised:
        store.write(objects, [RefMove(MAIN, head, objects[-1].oid)])
    assert "\n" not in str(raised.value) and raised.value.hint
    monkeypatch.undo()
    assert sorted(store.folder.rglob("*")) == before
    assert store.ref(MAIN) == head
    store.write(objects, [RefMove(MAIN, head, objects[-1].oid)])


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't create"):
        GitStoreFactory(tmp_path / "file").create("task")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "-x", "x" * 200])
def test_a_task_id_names_a_folder_or_is_refused(factory: GitStoreFactory, name: str) -> None:
    with pytest.raises(Conflict):
        factory.create(name)
    with pytest.raises(NotFound):
        factory.open(name)


# kills


def test_a_kill_between_two_moves_is_made_good(store: GitStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write_line(store, MAIN, 2)
    real, done = ref_files.RefFiles._set, []

    def die_at_the_second(self: ref_files.RefFiles, name: str, target: bytes) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(name)
        real(self, name, target)

    monkeypatch.setattr(ref_files.RefFiles, "_set", die_at_the_second)
    moves = [RefMove(MAIN, second, first), RefMove("refs/heads/new", None, second)]
    with pytest.raises(KeyboardInterrupt):
        store.write([], moves)
    monkeypatch.undo()
    assert GitStore(store.folder).refs() == {MAIN: first, "refs/heads/new": second}
    with pytest.raises(BranchMoved):
        store.write([], moves)


def test_a_lock_that_a_killed_process_left_is_removed(store: GitStore) -> None:
    (head,) = write_line(store, MAIN, 1)
    (store.folder / f"{MAIN}.lock").symlink_to("stackvm")
    store.write([], [RefMove(MAIN, head, None)])
    assert store.ref(MAIN) is None


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from git_objects import MAIN, step
from app.history.base import RefMove
from app.history.git_store import GitStoreFactory
store = GitStoreFactory(Path({folder!r})).open("task")
number = 0
while True:
    number += 1
    head = store.ref(MAIN)
    objects = step(number, *([head] if head else []))
    moves = [RefMove(MAIN, head, objects[-1].oid)]
    moves += [RefMove("refs/heads/twin", store.ref("refs/heads/twin"), objects[-1].oid)] * (number % 2)
    store.write(objects, moves)
    print(objects[-1].oid.hex(), flush=True)
    if number % 7 == 0:
        store.finish()
"""


@pytest.mark.parametrize("attempt", range(4))
def test_a_writer_killed_at_any_moment_leaves_a_sound_repository(
    store: GitStore, factory: GitStoreFactory, attempt: int
) -> None:
    here = Path(__file__)
    code = WRITER.format(tests=str(here.parent), root=str(here.parents[2]), folder=str(store.folder.parent))
    told = _kill_after(code, lines=20 + 3 * attempt, pause=0.0007 * attempt)
    again = factory.open("task")
    head = again.ref(MAIN)
    assert head is not None
    assert git(store.folder, "fsck", "--strict", "--full").replace("dangling", "").count("error") == 0
    assert told <= set(git(store.folder, "rev-list", MAIN).split()), "what was written is there"
    objects = step(0, head)
    again.write(objects, [RefMove(MAIN, head, objects[-1].oid), RefMove("refs/heads/x", None, head)])
    again.finish()
    assert git(store.folder, "fsck", "--strict", "--full").count("error") == 0


def _kill_after(code: str, lines: int, pause: float) -> set[str]:
    """Run a program, kill it hard some time after it printed so many lines; all it printed."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        told = {running.stdout.readline().strip() for _ in range(lines)}
        time.sleep(pause)
        running.send_signal(signal.SIGKILL)
        rest = running.stdout.read().split("\n")
        return told | {line for line in rest if len(line) == 40}


def test_a_ref_moves_only_when_its_objects_are_on_the_disk(
    store: GitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(handle: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name[:11]}")
        sync(handle)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append(f"name {target.suffix or target.name}")
        return replace(self, target)

    monkeypatch.setattr(disk.os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_line(store, MAIN, 1)
    assert done == [
        *["sync tmp_stackvm", "sync tmp_stackvm", "name .pack", "name .idx", "sync pack"],
        *["sync tmp_stackvm", "name main", "sync heads"],
    ]


def test_writers_that_merge_all_the_time_lose_nothing(store: GitStore, factory: GitStoreFactory) -> None:
    write_line(store, MAIN, 1)

    def work(number: int) -> list[bytes]:
        mine, made = factory.open("task"), []
        for turn in range(5):
            made += write_line(mine, f"refs/heads/b{number}-{turn}", 3, start=made[-1] if made else None)
            mine.finish()
            assert all(mine.read(oid).oid == oid for oid in made)
        return made

    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(work, range(4)))
    fresh = factory.open("task")
    assert all(fresh.has(oid) for line in lines for oid in line)
    assert git(store.folder, "fsck", "--strict", "--full") == ""


def test_of_two_that_create_a_repository_one_is_told(factory: GitStoreFactory) -> None:
    def create(_: int) -> bool:
        try:
            factory.create("new")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [False, False, False, True]
    assert factory.open("new").refs() == {}


def _holds(path: Path, oid: bytes) -> bool:
    return oid in path.with_suffix(".idx").read_bytes()


def _refused(store: GitStore, oid: bytes) -> bool:
    try:
        store.read(oid)
    except DamagedHistory:
        return True
    return False
