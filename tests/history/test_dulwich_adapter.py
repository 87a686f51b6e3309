"""Any store as a dulwich repository: walked, compared, written to, served to the stock git client."""

from __future__ import annotations

import sys
from hashlib import sha1
from pathlib import Path

import pytest
from dulwich.errors import NoIndexPresent
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import Blob, Commit, Tag
from dulwich.pack import REF_DELTA, create_delta, pack_header_chunks, pack_object_chunks
from dulwich.refs import HEADREF, Ref
from git_objects import MAIN, blob, git, raw_object, step, write_line

from app.errors import Conflict, DamagedHistory, InvalidName
from app.history.base import RawObject, RefMove, Store
from app.history.dulwich_adapter import as_repo
from app.history.git_store import GitStore, GitStoreFactory
from app.history.memory_store import MemoryRepository, MemoryStore

MAIN_REF = Ref(MAIN.encode())
ZEROS = b"0" * 40


def hex_id(oid: bytes) -> bytes:
    return oid.hex().encode()


def test_walks_the_commits(store: Store) -> None:
    made = write_line(store, MAIN, 5)
    walked = [entry.commit.id for entry in as_repo(store).get_walker()]
    assert walked == [hex_id(oid) for oid in reversed(made)]


def test_compares_two_trees(store: Store) -> None:
    first, second = write_line(store, MAIN, 2)
    repo = as_repo(store)
    changes = repo.object_store.tree_changes(repo[hex_id(first)].tree, repo[hex_id(second)].tree)
    assert sorted(new or old for (old, new), _, _ in changes) == [
        b"state.json",
        b"vars/v0.json",
        b"vars/v1.json",
    ]


def test_gives_objects_by_either_form_of_their_id(store: Store) -> None:
    store.write([blob("a")])
    objects = as_repo(store).object_store
    for name in (blob("a").oid, hex_id(blob("a").oid)):
        assert objects[name].data == b"a"
        assert objects.get_raw(name) == (3, b"a")
        assert name in objects
    assert list(objects) == [hex_id(blob("a").oid)]


def test_a_missing_object_is_a_key_error(store: Store) -> None:
    objects = as_repo(store).object_store
    assert ZEROS not in objects
    with pytest.raises(KeyError):
        objects[ZEROS]
    assert list(objects.iterobjects_subset([ZEROS], allow_missing=True)) == []


def test_a_damaged_object_is_no_key_error() -> None:
    repository = MemoryRepository()
    oid = blob("a").oid
    repository.objects[oid] = RawObject(oid, 3, b"b")
    with pytest.raises(DamagedHistory):
        as_repo(MemoryStore(repository)).object_store[hex_id(oid)]


def test_head_is_the_branch_that_was_asked_for(store: Store) -> None:
    (head,) = write_line(store, "refs/heads/fork", 1)
    repo = as_repo(store, "fork")
    assert repo.head() == hex_id(head)
    assert repo.refs.get_symrefs() == {HEADREF: b"refs/heads/fork"}
    assert repo.get_refs() == {HEADREF: hex_id(head), b"refs/heads/fork": hex_id(head)}


def test_an_empty_store_is_an_empty_repository(store: Store) -> None:
    repo = as_repo(store)
    assert repo.get_refs() == {}
    with pytest.raises(KeyError):
        repo.head()
    with pytest.raises(NoIndexPresent):
        repo.open_index()


def test_reads_no_settings_of_the_user(store: Store) -> None:
    assert list(as_repo(store).get_config_stack().sections()) == []


def test_moves_refs_by_compare_and_set(store: Store) -> None:
    first, second = (hex_id(oid) for oid in write_line(store, MAIN, 2))
    refs = as_repo(store).refs
    assert not refs.set_if_equals(MAIN_REF, first, first)
    assert refs.set_if_equals(MAIN_REF, second, first)
    assert refs.set_if_equals(HEADREF, first, second), "through HEAD"
    assert refs[MAIN_REF] == second
    assert refs.set_if_equals(MAIN_REF, None, first), "from wherever it stands"
    assert not refs.add_if_new(MAIN_REF, second)
    assert not refs.set_if_equals(MAIN_REF, ZEROS, second), "zeros: it must not be there"
    assert refs.add_if_new(Ref(b"refs/heads/new"), second)
    assert store.ref("refs/heads/new") == bytes.fromhex(second.decode())


def test_removes_refs_by_compare_and_set(store: Store) -> None:
    first, second = (hex_id(oid) for oid in write_line(store, MAIN, 2))
    refs = as_repo(store).refs
    assert not refs.remove_if_equals(MAIN_REF, first)
    assert not refs.remove_if_equals(HEADREF, second)
    assert refs.remove_if_equals(MAIN_REF, second)
    assert refs.remove_if_equals(MAIN_REF, None), "it is gone already"
    assert store.refs() == {}


def test_refs_follow_the_rules_of_the_store(store: Store) -> None:
    (head,) = write_line(store, MAIN, 1)
    refs = as_repo(store).refs
    for name in (b"refs/heads/main/below", b"refs/heads/a..b", b"refs/heads/\xff"):
        with pytest.raises((Conflict, InvalidName)):
            refs.set_if_equals(Ref(name), ZEROS, hex_id(head))


def test_head_can_be_pointed_elsewhere_but_no_other_ref_is_symbolic(store: Store) -> None:
    (head,) = write_line(store, "refs/heads/b", 1)
    refs = as_repo(store).refs
    refs.set_symbolic_ref(HEADREF, Ref(b"refs/heads/b"))
    assert refs[HEADREF] == hex_id(head)
    with pytest.raises(KeyError):
        refs.set_symbolic_ref(Ref(b"refs/heads/c"), Ref(b"refs/heads/b"))


def test_adds_objects(store: Store) -> None:
    objects = as_repo(store).object_store
    objects.add_object(Blob.from_string(b"one"))
    objects.add_objects([(Blob.from_string(b"two"), None), (Blob.from_string(b"three"), "path")])
    assert {store.read(oid).data for oid in store.object_ids()} == {b"one", b"two", b"three"}


def test_takes_in_a_pack_with_deltas(store: Store) -> None:
    repo = as_repo(store)
    base, changed = Blob.from_string(b"line\n" * 500), Blob.from_string(b"line\n" * 500 + b"more\n")
    repo.object_store.add_object(base)
    base_id = bytes.fromhex(base.id.decode())
    delta = b"".join(create_delta(base.data, changed.data))
    entry = b"".join(pack_object_chunks(REF_DELTA, (base_id, delta), DEFAULT_OBJECT_FORMAT))
    pack = b"".join(pack_header_chunks(1)) + entry
    file, commit, _ = repo.object_store.add_pack()
    file.write(pack + sha1(pack, usedforsecurity=False).digest())
    commit()
    assert repo.object_store[changed.id].data == changed.data


def test_an_incoming_pack_that_is_given_up_leaves_nothing(store: Store) -> None:
    file, _, abort = as_repo(store).object_store.add_pack()
    file.write(b"PACK")
    abort()
    assert list(store.object_ids()) == []


def test_takes_in_what_another_repository_gives(store: Store) -> None:
    objects = step(1)
    origin = MemoryStore()
    origin.write(objects, [RefMove(MAIN, None, objects[-1].oid)])
    refs = as_repo(origin).fetch(as_repo(store))
    assert refs[MAIN_REF] == hex_id(objects[-1].oid)
    assert set(store.object_ids()) == {item.oid for item in objects}


SERVER = """
import sys
from hashlib import sha1
from pathlib import Path
sys.path.insert(0, {root!r})
from dulwich.server import DictBackend, UploadPackHandler, serve_command
from app.history.dulwich_adapter import as_repo
from app.history.git_store import GitStoreFactory
repo = as_repo(GitStoreFactory(Path({folder!r})).open("task"))
sys.exit(serve_command(UploadPackHandler, ["serve", "/"], DictBackend({{b"/": repo, "/": repo}})))
"""


def test_the_stock_client_clones_and_fetches_through_it(tmp_path: Path) -> None:
    store: GitStore = GitStoreFactory(tmp_path / "repositories").create("task")
    made = write_line(store, MAIN, 30)
    write_line(store, "refs/heads/fork", 3, start=made[10])
    tag = _tag(store, made[5])
    server = tmp_path / "serve.py"
    server.write_text(SERVER.format(root=str(Path(__file__).parents[2]), folder=str(store.folder.parent)))
    allowed = ("-c", "protocol.ext.allow=always")
    git(tmp_path, *allowed, "clone", "--quiet", f"ext::{sys.executable} {server}", "copy")
    copy = tmp_path / "copy"
    assert git(copy, "fsck", "--strict", "--full") == ""
    assert git(copy, "rev-list", "--count", "origin/main").strip() == "30"
    assert git(copy, "rev-parse", "v1").strip() == tag.hex()
    head = store.ref(MAIN)
    objects = step(77, head)
    store.write(objects, [RefMove(MAIN, head, objects[-1].oid)])
    git(copy, *allowed, "fetch", "--quiet")
    assert git(copy, "rev-parse", "origin/main").strip() == objects[-1].oid.hex()


def _tag(store: GitStore, target: bytes) -> bytes:
    tag = Tag()
    tag.name, tag.message, tag.tagger = b"v1", b"a tag\n", b"a <a@localhost>"
    tag.tag_time, tag.tag_timezone = 1_700_000_000, 0
    tag.object = (Commit, hex_id(target))
    made = raw_object(tag)
    store.write([made], [RefMove("refs/tags/v1", None, made.oid)])
    return made.oid
