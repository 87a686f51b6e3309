"""Clones of any store, looked at with the stock git client."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from git_objects import MAIN, blob, commit, git, step, tree, write_line

from app.errors import Conflict, DamagedHistory, NotFound, StorageError
from app.history import clone
from app.history.base import RefMove, Store, object_id
from app.history.clone import clone_store
from app.history.git_store import GitStore, GitStoreFactory
from app.history.memory_store import MemoryRepository, MemoryStore
from app.history.reachable import reachable_objects


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "below" / "copy"


def test_the_clone_is_sound_and_clean(store: Store, target: Path) -> None:
    write_line(store, MAIN, 20)
    clone_store(store, target, "main")
    assert git(target, "fsck", "--strict", "--full") == ""
    assert git(target, "status", "--porcelain") == ""
    assert "On branch main" in git(target, "status")
    assert git(target, "diff-index", "HEAD") == "", "the index knows the files as they are"
    assert (target / "vars" / "v19.json").read_text() == "value 19\n"


def test_log_and_blame_work(store: Store, target: Path) -> None:
    made = write_line(store, MAIN, 3)
    clone_store(store, target, "main")
    assert git(target, "log", "--format=%H").split() == [oid.hex() for oid in reversed(made)]
    assert "+at 1" in git(target, "log", "-p", "--", "state.json")
    assert git(target, "blame", "-l", "goal.json").startswith(f"^{made[0].hex()}"[:40])


def test_branches_are_those_of_origin(store: Store, target: Path) -> None:
    made = write_line(store, MAIN, 3)
    store.write([], [RefMove("refs/heads/fix/one", None, made[0]), RefMove("refs/tags/v1", None, made[1])])
    clone_store(store, target, "fix/one")
    shown = git(target, "for-each-ref", "--format=%(refname) %(objectname)").split("\n")[:-1]
    assert shown == [
        f"refs/heads/fix/one {made[0].hex()}",
        f"refs/remotes/origin/HEAD {made[0].hex()}",
        f"refs/remotes/origin/fix/one {made[0].hex()}",
        f"refs/remotes/origin/main {made[2].hex()}",
        f"refs/tags/v1 {made[1].hex()}",
    ]
    assert git(target, "symbolic-ref", "HEAD").strip() == "refs/heads/fix/one"
    assert (target / "state.json").read_text() == "at 0\n"
    git(target, "checkout", "--quiet", "main")
    assert (target / "state.json").read_text() == "at 2\n"


def test_only_what_is_reachable_is_cloned(store: Store, target: Path) -> None:
    write_line(store, MAIN, 2)
    store.write([blob("nobody wants it")])
    clone_store(store, target, "main")
    assert git(target, "fsck", "--unreachable") == ""
    assert len(list((target / ".git" / "objects" / "pack").glob("*.pack"))) == 1


def test_a_clone_of_a_disk_store_can_fetch(tmp_path: Path, target: Path) -> None:
    store: GitStore = GitStoreFactory(tmp_path / "repositories").create("task")
    (head,) = write_line(store, MAIN, 1)
    clone_store(store, target, "main", origin_url=str(store.folder))
    objects = step(1, head)
    store.write(objects, [RefMove(MAIN, head, objects[-1].oid)])
    git(target, "pull", "--quiet")
    assert git(target, "rev-parse", "HEAD").strip() == objects[-1].oid.hex()
    assert "up to date with 'origin/main'" in git(target, "status")


def test_without_an_address_the_clone_stands_alone(store: Store, target: Path) -> None:
    write_line(store, MAIN, 1)
    clone_store(store, target, "main")
    assert "url" not in (target / ".git" / "config").read_text()
    assert "up to date with 'origin/main'" in git(target, "status")


def test_an_empty_folder_is_filled_in_place(store: Store, target: Path) -> None:
    write_line(store, MAIN, 1)
    target.mkdir(parents=True)
    before = target.stat().st_ino
    clone_store(store, target, "main")
    assert target.stat().st_ino == before, "it may be somebody's working directory"
    assert git(target, "status", "--porcelain") == ""


def test_a_folder_that_holds_something_is_left_alone(store: Store, target: Path) -> None:
    write_line(store, MAIN, 1)
    target.mkdir(parents=True)
    (target / "mine").touch()
    for place in (target, target / "mine"):
        with pytest.raises(Conflict, match=str(place)):
            clone_store(store, place, "main")
    assert [path.name for path in target.iterdir()] == ["mine"]


def test_a_branch_that_is_not_there_leaves_nothing(store: Store, target: Path) -> None:
    write_line(store, MAIN, 1)
    with pytest.raises(NotFound, match="other"):
        clone_store(store, target, "other")
    assert not target.parent.exists()


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_clone_leaves_nothing(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    store = MemoryStore()
    write_line(store, MAIN, 1)
    target.mkdir(parents=True)
    if not there:
        shutil.rmtree(target)
    monkeypatch.setattr(clone, "_check_out", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clone_store(store, target, "main")
    assert list(target.parent.rglob("*")) == ([target] if there else [])


def test_a_damaged_object_leaves_nothing(tmp_path: Path, target: Path) -> None:
    repository = MemoryRepository()
    store = MemoryStore(repository)
    write_line(store, MAIN, 3)
    del repository.objects[blob("value 1\n").oid]
    with pytest.raises(DamagedHistory, match=blob("value 1\n").oid.hex()):
        clone_store(store, target, "main")
    assert list(tmp_path.rglob("*copy*")) == []


def test_a_place_that_can_not_be_is_one_clear_line(tmp_path: Path) -> None:
    store = MemoryStore()
    write_line(store, MAIN, 1)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't clone") as raised:
        clone_store(store, tmp_path / "file" / "copy", "main")
    assert "\n" not in str(raised.value)


def test_odd_names_of_files_are_checked_out(store: Store, target: Path) -> None:
    names = ["a b", "é", "日本", "-x", "con", "a'b", "x" * 200]
    items = {name: blob(name) for name in names}
    root = tree(items)
    made = commit(root)
    store.write([*items.values(), root, made], [RefMove(MAIN, None, made.oid)])
    clone_store(store, target, "main")
    assert git(target, "status", "--porcelain") == ""
    assert {path.name for path in target.iterdir()} == {*names, ".git"}


def test_reaches_both_parents_of_a_merge() -> None:
    store = MemoryStore()
    left, right = write_line(store, "refs/heads/l", 1)[0], write_line(store, "refs/heads/r", 2)[1]
    merge = commit(tree({"a": blob("a")}), left, right)
    store.write([blob("a"), tree({"a": blob("a")}), merge])
    found = [item.oid for item in reachable_objects(store, [merge.oid])]
    assert {left, right, merge.oid, blob("a").oid} <= set(found)
    assert len(found) == len(set(found)) == len(set(store.object_ids()))


def test_two_thousand_commits_take_seconds_not_minutes(target: Path) -> None:
    store = MemoryStore()
    head: list[bytes] = []
    for number in range(2000):
        objects = step(number, *head)
        store.write(objects, [RefMove(MAIN, head[0] if head else None, objects[-1].oid)])
        head = [objects[-1].oid]
    began = time.monotonic()
    clone_store(store, target, "main")
    assert time.monotonic() - began < 10, "about half a second on an idle machine"
    assert git(target, "rev-list", "--count", "HEAD").strip() == "2000"


def test_the_bytes_are_those_of_the_store(target: Path) -> None:
    store = MemoryStore()
    write_line(store, MAIN, 2)
    clone_store(store, target, "main")
    for oid in store.object_ids():
        said = git(target, "cat-file", "-t", oid.hex()).strip()
        assert object_id({"commit": 1, "tree": 2, "blob": 3}[said], store.read(oid).data) == oid
