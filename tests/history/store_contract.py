"""What every store must do. A store takes part by a value of the fixture ``opener``."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from git_objects import MAIN, blob, commit, step, tree, write_line

from app.errors import BranchMoved, Conflict, DamagedHistory, InputError, InvalidName, NotFound
from app.history.base import Collected, Kind, RawObject, RefMove, Store, StoreFactory

Opener = Callable[[], StoreFactory]
MISSING = bytes(range(20))


class StoreContract:
    """One test a promise of :mod:`app.history.base`."""

    # objects

    def test_gives_back_each_kind_of_object(self, store: Store) -> None:
        objects = step(1)
        store.write(objects)
        assert {item.kind for item in objects} == {Kind.BLOB, Kind.TREE, Kind.COMMIT}
        for item in objects:
            assert store.read(item.oid) == item

    @pytest.mark.parametrize("data", [b"", b"\0", b"x" * 15, b"x" * 16, bytes(range(256)) * 400])
    def test_gives_back_bytes_of_any_size(self, store: Store, data: bytes) -> None:
        store.write([blob(data)])
        assert store.read(blob(data).oid).data == data

    def test_gives_back_five_megabytes(self, store: Store) -> None:
        large = blob(b"".join(number.to_bytes(4, "big") for number in range(5 << 18)))
        store.write([large, blob("small")])
        assert store.read(large.oid) == large
        assert store.read(blob("small").oid) == blob("small")

    def test_takes_five_thousand_objects_at_once(self, store: Store) -> None:
        objects = [blob(f"number {number}") for number in range(5000)]
        store.write(objects)
        assert set(store.object_ids()) == {item.oid for item in objects}
        assert store.read(objects[4321].oid) == objects[4321]

    def test_an_empty_write_is_nothing(self, store: Store) -> None:
        store.write([])
        assert list(store.object_ids()) == []

    def test_passes_over_objects_that_are_there(self, store: Store) -> None:
        store.write([blob("a"), blob("a"), blob("b")])
        store.write([blob("b"), blob("c")])
        assert sorted(store.object_ids()) == sorted(blob(text).oid for text in "abc")
        assert store.read(blob("b").oid) == blob("b")

    def test_says_which_object_is_missing(self, store: Store) -> None:
        with pytest.raises(DamagedHistory, match=MISSING.hex()) as raised:
            store.read(MISSING)
        assert raised.value.oid == MISSING.hex()

    def test_reads_many_at_once_each_once(self, store: Store) -> None:
        objects = [blob(f"number {number}") for number in range(5000)]
        store.write(objects)
        store.finish()
        late = step(1)
        store.write(late)
        wanted = [item.oid for item in (*objects, *late)]
        found = list(store.read_many(iter([*wanted, *wanted[::2]])))
        assert len(found) == len(wanted) and set(found) == {*objects, *late}
        assert list(store.read_many([])) == []
        assert list(store.read_many([objects[7].oid])) == [objects[7]]

    def test_says_which_of_many_is_missing(self, store: Store) -> None:
        store.write([blob("a")])
        with pytest.raises(DamagedHistory, match=MISSING.hex()):
            list(store.read_many([blob("a").oid, MISSING]))

    def test_reads_many_that_another_store_object_wrote(self, store_factory: StoreFactory) -> None:
        one, other = store_factory.create("task"), store_factory.open("task")
        assert list(other.object_ids()) == []
        one.write([blob("a")])
        assert list(other.read_many([blob("a").oid])) == [blob("a")]
        one.write([blob("b")])
        one.finish()
        assert set(other.read_many([blob("a").oid, blob("b").oid])) == {blob("a"), blob("b")}

    def test_others_write_and_consolidate_while_many_are_read(self, store: Store) -> None:
        made = write_line(store, MAIN, 30)
        wanted = list(store.object_ids())
        reading = store.read_many(wanted)
        first = next(reading)
        store.write([blob("meanwhile")], [RefMove("refs/heads/b", None, made[0])])
        store.finish()
        assert {item.oid for item in (first, *reading)} == set(wanted)

    def test_lists_the_objects_of_one_kind(self, store: Store) -> None:
        made = write_line(store, MAIN, 3)
        store.finish()
        late = step(9)
        store.write(late)
        assert sorted(store.object_ids(Kind.COMMIT)) == sorted([*made, late[-1].oid])
        by_kind = [oid for kind in Kind for oid in store.object_ids(kind)]
        assert sorted(by_kind) == sorted(store.object_ids())

    def test_knows_what_it_has(self, store: Store) -> None:
        store.write([blob("a")])
        assert store.has(blob("a").oid)
        assert not store.has(MISSING)

    def test_another_store_object_sees_what_was_written(self, store_factory: StoreFactory) -> None:
        one, other = store_factory.create("task"), store_factory.open("task")
        assert not other.has(blob("a").oid)
        one.write([blob("a")])
        other.write([blob("b")])
        assert other.read(blob("a").oid) == blob("a")
        assert one.has(blob("b").oid)
        assert set(one.object_ids()) == set(other.object_ids()) == {blob("a").oid, blob("b").oid}

    def test_stored_bytes_grow(self, store: Store) -> None:
        before = store.stored_bytes()
        store.write([blob(b"".join(number.to_bytes(3, "big") for number in range(10_000)))])
        assert store.stored_bytes() > before + 1000

    # refs

    def test_a_new_repository_has_no_refs(self, store: Store) -> None:
        assert store.refs() == {}
        assert store.ref(MAIN) is None

    def test_creates_moves_and_deletes_a_ref(self, store: Store) -> None:
        first, second = write_line(store, MAIN, 2)
        assert store.ref(MAIN) == second
        assert store.refs() == {MAIN: second}
        store.write([], [RefMove(MAIN, second, first)])
        assert store.ref(MAIN) == first
        store.write([], [RefMove(MAIN, first, None)])
        assert store.ref(MAIN) is None
        assert store.refs() == {}

    def test_a_deleted_ref_can_be_made_again(self, store: Store) -> None:
        (head,) = write_line(store, MAIN, 1)
        store.write([], [RefMove(MAIN, head, None)])
        store.write([], [RefMove(MAIN, None, head)])
        assert store.refs() == {MAIN: head}

    @pytest.mark.parametrize("wrong", ["other", "none", "missing"])
    def test_refuses_a_move_from_elsewhere(self, store: Store, wrong: str) -> None:
        first, second, third = write_line(store, MAIN, 3)
        old = {"other": first, "none": None, "missing": MISSING}[wrong]
        with pytest.raises(BranchMoved, match="main"):
            store.write([], [RefMove(MAIN, old, second)])
        with pytest.raises(BranchMoved, match="main"):
            store.write([], [RefMove(MAIN, old, None)])
        assert store.ref(MAIN) == third

    def test_refuses_to_move_a_ref_that_is_not_there(self, store: Store) -> None:
        (head,) = write_line(store, MAIN, 1)
        with pytest.raises(BranchMoved):
            store.write([], [RefMove("refs/heads/other", head, head)])
        assert store.refs() == {MAIN: head}

    def test_moves_several_refs_together(self, store: Store) -> None:
        first, second = write_line(store, MAIN, 2)
        store.write([], [RefMove("refs/heads/gone", None, first)])
        moves = [
            RefMove(MAIN, second, first),
            RefMove("refs/heads/new", None, second),
            RefMove("refs/heads/gone", first, None),
        ]
        store.write([blob("with them")], moves)
        assert store.refs() == {MAIN: first, "refs/heads/new": second}
        assert store.has(blob("with them").oid)

    def test_moves_all_refs_or_none(self, store: Store) -> None:
        first, second = write_line(store, MAIN, 2)
        good = [RefMove(MAIN, second, first), RefMove("refs/heads/new", None, first)]
        for bad in (RefMove("refs/heads/absent", first, second), RefMove("refs/heads/b", first, None)):
            for moves in ([*good, bad], [bad, *good]):
                with pytest.raises(BranchMoved):
                    store.write([], moves)
                assert store.refs() == {MAIN: second}
        with pytest.raises(Conflict):
            store.write([], [*good, RefMove("refs/heads/main/below", None, first)])
        assert store.refs() == {MAIN: second}

    @pytest.mark.parametrize(
        "name",
        ["heads/main", "refs/heads/", "refs/heads/a..b", "refs/heads/a.lock", "refs/heads/a b", "refs/../x"],
    )
    def test_refuses_names_that_git_refuses(self, store: Store, name: str) -> None:
        (head,) = write_line(store, MAIN, 1)
        with pytest.raises(InvalidName):
            store.write([], [RefMove(name, None, head)])
        assert store.refs() == {MAIN: head}

    @pytest.mark.parametrize(
        "name", ["refs/heads/été", "refs/heads/日本", "refs/heads/a.b-c_d/e", "refs/tags/v1"]
    )
    def test_takes_names_that_git_takes(self, store: Store, name: str) -> None:
        (head,) = write_line(store, MAIN, 1)
        store.write([], [RefMove(name, None, head)])
        assert store.refs() == {MAIN: head, name: head}

    def test_tells_names_apart_by_case_and_accent(self, store: Store) -> None:
        first, second, third = write_line(store, MAIN, 3)
        store.write([], [RefMove("refs/heads/fork", None, first), RefMove("refs/heads/förk", None, second)])
        store.write([], [RefMove("refs/heads/Fork", None, third)])
        assert [store.ref(f"refs/heads/{name}") for name in ("fork", "förk", "Fork")] == [
            first,
            second,
            third,
        ]

    @pytest.mark.parametrize(
        ("there", "refused"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a"), ("a", "a/b/c")]
    )
    def test_a_and_a_slash_b_exclude_each_other(self, store: Store, there: str, refused: str) -> None:
        (head,) = write_line(store, f"refs/heads/{there}", 1)
        with pytest.raises(Conflict, match=there):
            store.write([], [RefMove(f"refs/heads/{refused}", None, head)])
        assert store.refs() == {f"refs/heads/{there}": head}
        store.write([], [RefMove(f"refs/heads/{there}2", None, head), RefMove("refs/heads/b", None, head)])
        assert len(store.refs()) == 3

    @pytest.mark.parametrize(("first", "then"), [("a", "a/b"), ("a/b", "a")])
    def test_a_name_is_free_again_after_deletion(self, store: Store, first: str, then: str) -> None:
        (head,) = write_line(store, f"refs/heads/{first}", 1)
        store.write([], [RefMove(f"refs/heads/{first}", head, None)])
        store.write([], [RefMove(f"refs/heads/{then}", None, head)])
        assert store.refs() == {f"refs/heads/{then}": head}

    # fences

    def test_moves_name_the_fence_that_was_raised_last(self, store: Store) -> None:
        store.raise_fence(MAIN, 3)
        objects = step(0)
        with pytest.raises(BranchMoved, match="main"):
            store.write(objects, [RefMove(MAIN, None, objects[-1].oid, fence=2)])
        assert store.ref(MAIN) is None
        store.write(objects, [RefMove(MAIN, None, objects[-1].oid, fence=3)])
        assert store.ref(MAIN) == objects[-1].oid

    def test_a_worker_that_lost_its_lease_is_fenced_off(self, store_factory: StoreFactory) -> None:
        mine, theirs = store_factory.create("task"), store_factory.open("task")
        mine.raise_fence(MAIN, 1)
        (head,) = write_line(mine, MAIN, 1)
        theirs.raise_fence(MAIN, 2)
        with pytest.raises(BranchMoved):
            mine.write([], [RefMove(MAIN, head, None, fence=1)])
        theirs.write([], [RefMove(MAIN, head, None, fence=2)])

    def test_a_fence_is_zero_where_none_was_raised(self, store: Store) -> None:
        first, second = step(0), step(1)
        with pytest.raises(BranchMoved):
            store.write(first, [RefMove(MAIN, None, first[-1].oid, fence=1)])
        store.write(first, [RefMove(MAIN, None, first[-1].oid, fence=0)])
        store.write(second, [RefMove(MAIN, first[-1].oid, second[-1].oid, fence=0)])
        assert store.ref(MAIN) == second[-1].oid

    def test_a_fence_never_falls_and_belongs_to_one_ref(self, store: Store) -> None:
        store.raise_fence(MAIN, 5)
        store.raise_fence(MAIN, 5)
        with pytest.raises(BranchMoved, match="main"):
            store.raise_fence(MAIN, 4)
        store.raise_fence("refs/heads/other", 1)
        store.raise_fence(MAIN, 6)

    def test_a_move_that_names_no_fence_is_not_held_up(self, store: Store) -> None:
        store.raise_fence(MAIN, 7)
        (head,) = write_line(store, MAIN, 1)
        assert store.ref(MAIN) == head

    # looking commits up

    def test_finds_commits_by_the_beginning_of_their_id(self, store: Store) -> None:
        made = write_line(store, MAIN, 5)
        for oid in made:
            for digits in (4, 5, 9, 40):
                assert oid in store.find_commits(oid.hex()[:digits])
            assert store.find_commits(oid.hex()) == [oid]
        assert store.find_commits("0" * 40) == []

    def test_finds_no_blob_and_no_tree(self, store: Store) -> None:
        objects = step(0)
        store.write(objects)
        for item in objects[:-1]:
            assert store.find_commits(item.oid.hex()) == []

    def test_finds_at_most_so_many(self, store: Store) -> None:
        root = tree({"a": blob("a")})
        prefix, same = _commits_with_one_prefix(root, 3)
        store.write([blob("a"), root, *same])
        assert set(store.find_commits(prefix)) == {item.oid for item in same}
        assert len(store.find_commits(prefix, limit=2)) == 2

    # what lasts

    def test_what_was_written_is_there_after_opening_again(self, opener: Opener) -> None:
        store = opener().create("task")
        store.raise_fence(MAIN, 2)
        made = write_line(store, MAIN, 3)
        store.close()
        again = opener().open("task")
        assert again.refs() == {MAIN: made[-1]}
        assert again.read(made[0]).kind == Kind.COMMIT
        with pytest.raises(BranchMoved):
            again.raise_fence(MAIN, 1)

    def test_consolidating_changes_nothing_that_is_seen(self, opener: Opener) -> None:
        store, other = opener().create("task"), opener().open("task")
        made = write_line(store, MAIN, 50)
        before = {oid: store.read(oid) for oid in store.object_ids()}
        assert other.read(made[0]) == before[made[0]]
        store.finish()
        store.finish()
        for seen in (store, other, opener().open("task")):
            assert {oid: seen.read(oid) for oid in seen.object_ids()} == before
            assert seen.refs() == {MAIN: made[-1]}
        store.write([blob("after")])
        assert other.has(blob("after").oid)

    # damage and garbage

    def test_finds_nothing_wrong_with_what_was_written(self, store: Store) -> None:
        write_line(store, MAIN, 3)
        assert list(store.damage()) == []
        store.finish()
        assert list(store.damage()) == []

    def test_collects_what_no_ref_reaches(self, store: Store) -> None:
        made = write_line(store, MAIN, 30)
        kept = set(store.object_ids())
        large = blob(random.Random(1).randbytes(100_000))
        store.write([large, blob("small")])
        (side,) = write_line(store, "refs/heads/side", 1, first=500)
        also = step(900)
        store.write([*also])
        store.write([], [RefMove("refs/heads/side", side, None)])
        planned = store.collect([also[-1].oid], dry_run=True)
        assert store.read(large.oid) == large
        before = store.stored_bytes()
        done = store.collect([also[-1].oid])
        assert done.objects == planned.objects > 2 and done.bytes > 90_000
        assert before - store.stored_bytes() > 90_000
        assert set(store.object_ids()) == kept | {item.oid for item in also}
        assert store.read(made[0]).kind == Kind.COMMIT
        assert not store.has(large.oid) and not store.has(side)
        assert store.collect([also[-1].oid]) == Collected(0, 0)
        assert list(store.damage()) == []

    def test_what_was_collected_can_be_written_again(self, store_factory: StoreFactory) -> None:
        mine, theirs = store_factory.create("task"), store_factory.open("task")
        write_line(mine, MAIN, 2)
        objects = step(50)
        mine.write(objects)  # it knows them now
        theirs.collect()
        mine.write(objects, [RefMove("refs/heads/new", None, objects[-1].oid)])
        fresh = store_factory.open("task")
        assert [fresh.read(item.oid) for item in objects] == objects

    def test_a_ref_to_what_was_collected_is_refused(self, store_factory: StoreFactory) -> None:
        mine, theirs = store_factory.create("task"), store_factory.open("task")
        (head,) = write_line(mine, MAIN, 1)
        objects = step(50)
        mine.write(objects)
        theirs.collect()
        mine.write([blob("something else")])
        with pytest.raises(BranchMoved, match="cleared away"):
            mine.write([], [RefMove("refs/heads/new", None, objects[-1].oid)])
        mine.write([], [RefMove("refs/heads/new", None, head)])
        assert set(mine.refs()) == {MAIN, "refs/heads/new"}

    def test_what_is_left_out_is_really_there(self, store_factory: StoreFactory) -> None:
        """A commit is built on one that is garbage by now, and its objects are not all given."""
        mine, theirs = store_factory.create("task"), store_factory.open("task")
        write_line(mine, MAIN, 1)
        first = step(50)
        mine.write(first)
        second = step(51, first[-1].oid)
        theirs.collect()
        with pytest.raises(BranchMoved, match="cleared away"):
            mine.write(second, [RefMove("refs/heads/new", None, second[-1].oid)])

    def test_damaged_histories_are_not_collected(self, store: Store) -> None:
        lost = step(7)
        store.write([lost[-1]], [RefMove(MAIN, None, lost[-1].oid)])
        store.write([blob("garbage")])
        with pytest.raises(DamagedHistory):
            store.collect()
        assert store.has(blob("garbage").oid)

    def test_lists_repositories_by_age(self, store_factory: StoreFactory) -> None:
        write_line(store_factory.create("task"), MAIN, 1)
        assert list(store_factory.task_ids()) == ["task"]
        assert list(store_factory.task_ids(3600)) in ([], ["task"])
        assert store_factory.stored_bytes("task") > 0
        assert store_factory.stored_bytes("absent") == 0
        store_factory.delete("task")
        assert list(store_factory.task_ids()) == []

    # repositories

    def test_repositories_are_apart(self, store_factory: StoreFactory) -> None:
        one, other = store_factory.create("one"), store_factory.create("other")
        (head,) = write_line(one, MAIN, 1)
        assert not other.has(head)
        assert other.refs() == {} and list(other.object_ids()) == []
        assert other.find_commits(head.hex()) == []

    def test_a_repository_is_created_once(self, store_factory: StoreFactory) -> None:
        (head,) = write_line(store_factory.create("task"), MAIN, 1)
        with pytest.raises(Conflict, match="task"):
            store_factory.create("task")
        assert store_factory.open("task").ref(MAIN) == head

    def test_says_that_a_repository_is_not_there(self, store_factory: StoreFactory) -> None:
        for name in ("absent", "../absent", ""):
            with pytest.raises(NotFound):
                store_factory.open(name)

    def test_deletes_a_repository_for_good(self, store_factory: StoreFactory) -> None:
        store = store_factory.create("task")
        store.raise_fence(MAIN, 9)
        (head,) = write_line(store, MAIN, 1)
        kept = store_factory.create("kept")
        write_line(kept, MAIN, 1)
        store.close()
        store_factory.delete("task")
        store_factory.delete("task")
        with pytest.raises(NotFound):
            store_factory.open("task")
        again = store_factory.create("task")
        assert not again.has(head) and again.refs() == {}
        again.raise_fence(MAIN, 1)
        assert kept.ref(MAIN) == head

    # many at once

    def test_of_threads_that_move_one_ref_one_wins(self, store_factory: StoreFactory) -> None:
        (head,) = write_line(store_factory.create("task"), MAIN, 1)
        rivals = 6
        ready = Barrier(rivals)

        def race(number: int) -> bool:
            store = store_factory.open("task")
            objects = step(100 + number, head)
            ready.wait()
            return _wins(store, objects, head)

        with ThreadPoolExecutor(rivals) as pool:
            won = list(pool.map(race, range(rivals)))
        assert won.count(True) == 1
        winner = step(100 + won.index(True), head)[-1].oid
        assert store_factory.open("task").ref(MAIN) == winner

    def test_threads_sharing_one_store_lose_nothing(self, store: Store) -> None:
        def work(number: int) -> bytes:
            return write_line(store, f"refs/heads/b{number}", 8)[-1]

        with ThreadPoolExecutor(4) as pool:
            heads = list(pool.map(work, range(4)))
        assert store.refs() == {f"refs/heads/b{number}": head for number, head in enumerate(heads)}
        assert all(store.read(head).kind == Kind.COMMIT for head in heads)

    def test_of_processes_that_move_one_ref_one_wins(self, opener: Opener, durable: bool) -> None:
        if not durable:
            pytest.skip("lives in one process")
        store = opener().create("task")
        (head,) = write_line(store, MAIN, 1)
        rounds = 5
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            lists = pool.starmap(_race_in_process, [(opener, number, rounds) for number in range(2)])
        assert sum(map(sum, lists)) >= rounds
        line = [store.ref(MAIN)]
        while line[-1] != head:
            line.append(_parent(store.read(line[-1])))
        assert len(line) == 1 + sum(map(sum, lists))

    def test_errors_are_one_line(self, store: Store) -> None:
        with pytest.raises(InputError) as raised:
            store.write([], [RefMove("bad name", None, MISSING)])
        assert "\n" not in str(raised.value)


def _wins(store: Store, objects: list[RawObject], old: bytes) -> bool:
    try:
        store.write(objects, [RefMove(MAIN, old, objects[-1].oid)])
    except BranchMoved:
        return False
    return True


def _race_in_process(opener: Opener, number: int, rounds: int) -> list[bool]:
    """Each round a commit on top of whatever the head is then."""
    store = opener().open("task")
    won = []
    for turn in range(rounds):
        head = store.ref(MAIN)
        assert head is not None
        won.append(_wins(store, step(1000 * (number + 1) + turn, head), head))
    store.close()
    return won


def _parent(item: RawObject) -> bytes:
    line = next(line for line in item.data.split(b"\n") if line.startswith(b"parent "))
    return bytes.fromhex(line.removeprefix(b"parent ").decode())


def _commits_with_one_prefix(root: RawObject, count: int) -> tuple[str, list[RawObject]]:
    """Commits whose ids share their first four hex digits, found by trying messages."""
    by_prefix: dict[str, list[RawObject]] = {}
    for number in range(100_000):
        made = commit(root, message=f"try {number}")
        same = by_prefix.setdefault(made.oid.hex()[:4], [])
        same.append(made)
        if len(same) == count:
            return made.oid.hex()[:4], same
    raise AssertionError("no luck")
