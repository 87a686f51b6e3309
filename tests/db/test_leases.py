"""The contract of leases, run on every kind; and races between processes on every database."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from databases import KINDS, shared_database

from app.db.base import Leases
from app.db.leases import SqlLeases
from app.db.memory import MemoryLeases
from app.db.session import open_database
from app.errors import BranchMoved, Conflict, LeaseHeld


@pytest.fixture(params=["memory", *KINDS])
def leases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Leases]:
    if request.param == "memory":
        yield MemoryLeases()
        return
    database = open_database(shared_database(request.param, tmp_path))
    yield SqlLeases(database)
    database.close()


def test_a_branch_nobody_runs_has_no_holder(leases: Leases) -> None:
    assert leases.holder("task", "main") is None


def test_who_acquires_it_holds_it(leases: Leases) -> None:
    assert leases.acquire("task", "main", "me", 30) > 0
    owner, seconds_left = leases.holder("task", "main") or ("", 0)
    assert owner == "me"
    assert 25 < seconds_left <= 30


def test_another_owner_is_told_who_has_it_and_how_long(leases: Leases) -> None:
    fence = leases.acquire("task", "main", "me", 30)
    with pytest.raises(LeaseHeld) as raised:
        leases.acquire("task", "main", "you", 30)
    assert raised.value.branch == "main"
    assert raised.value.owner == "me"
    assert 25 < raised.value.seconds_left <= 30
    leases.renew("task", "main", fence, 30)  # still mine


def test_every_acquisition_has_a_higher_fence(leases: Leases) -> None:
    fences = []
    for owner in ("me", "me", "you", "me"):
        fences.append(leases.acquire("task", "main", owner, 30))
        if owner != "me" or len(fences) == 2:
            leases.release("task", "main", fences[-1])
    assert fences == sorted(set(fences))


def test_branches_and_tasks_are_apart(leases: Leases) -> None:
    leases.acquire("task", "main", "me", 30)
    leases.acquire("task", "Main", "you", 30)
    leases.acquire("other", "main", "you", 30)
    assert (leases.holder("task", "main") or ("", 0))[0] == "me"
    assert (leases.holder("task", "Main") or ("", 0))[0] == "you"


def test_what_is_released_is_free(leases: Leases) -> None:
    fence = leases.acquire("task", "main", "me", 30)
    leases.release("task", "main", fence)
    assert leases.holder("task", "main") is None
    assert leases.acquire("task", "main", "you", 30) > fence


def test_a_lease_that_ran_out_is_anybodys(leases: Leases) -> None:
    mine = leases.acquire("task", "main", "me", 0.05)
    time.sleep(0.12)
    assert leases.holder("task", "main") is None
    theirs = leases.acquire("task", "main", "you", 30)
    assert theirs > mine
    with pytest.raises(BranchMoved, match="main"):
        leases.renew("task", "main", mine, 30)
    with pytest.raises(BranchMoved, match="main"):
        leases.release("task", "main", mine)
    assert (leases.holder("task", "main") or ("", 0))[0] == "you"


def test_a_lease_that_ran_out_unnoticed_can_be_renewed(leases: Leases) -> None:
    fence = leases.acquire("task", "main", "me", 0.05)
    time.sleep(0.12)
    leases.renew("task", "main", fence, 30)
    assert (leases.holder("task", "main") or ("", 0))[0] == "me"


def test_renewing_counts_from_now(leases: Leases) -> None:
    fence = leases.acquire("task", "main", "me", 5)
    leases.renew("task", "main", fence, 60)
    _, seconds_left = leases.holder("task", "main") or ("", 0.0)
    assert 50 < seconds_left <= 60


def test_what_was_never_ours_is_lost(leases: Leases) -> None:
    with pytest.raises(BranchMoved):
        leases.renew("task", "main", 1, 30)
    fence = leases.acquire("task", "main", "me", 30)
    leases.release("task", "main", fence)
    with pytest.raises(BranchMoved):
        leases.release("task", "main", fence)
    with pytest.raises(BranchMoved):
        leases.renew("task", "main", fence, 30)


def test_of_threads_that_want_it_one_gets_it(leases: Leases) -> None:
    def want(number: int) -> bool:
        try:
            leases.acquire("task", "main", f"worker {number}", 30)
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(want, range(8))).count(True) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_processes_never_hold_it_together(kind: str, tmp_path: Path) -> None:
    url = shared_database(kind, tmp_path)
    log = tmp_path / "log"
    log.touch()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        lists = pool.starmap(_take_turns, [(url, number, log) for number in range(3)])
    fences = [fence for fences in lists for fence in fences]
    assert len(fences) == 15
    assert len(set(fences)) == 15
    # Each wrote when it began and when it ended: nobody between the two.
    lines = log.read_text().split()
    assert lines[::2] == lines[1::2]


def _take_turns(url: str, number: int, log: Path) -> list[int]:
    """Five times: take the lease, note begin and end of what is done under it, give it back."""
    database = open_database(url)
    leases = SqlLeases(database)
    fences: list[int] = []
    while len(fences) < 5:
        try:
            fence = leases.acquire("task", "main", f"process {number}", 30)
        except LeaseHeld:
            time.sleep(0.001)
            continue
        for _ in range(2):
            with log.open("a") as file:
                file.write(f"{fence}\n")
            time.sleep(0.002)
        fences.append(fence)
        leases.release("task", "main", fence)
    database.close()
    return fences


def test_the_lease_of_a_dead_owner_can_be_taken_at_once(leases: Leases) -> None:
    first = leases.acquire("task", "main", "me", 30)
    with pytest.raises(LeaseHeld):
        leases.acquire("task", "main", "you", 30, dead="somebody else")
    assert leases.acquire("task", "main", "you", 30, dead="me") > first
    with pytest.raises(BranchMoved):
        leases.renew("task", "main", first, 30)


def test_who_holds_it_hears_what_it_is_asked_once(leases: Leases) -> None:
    assert not leases.ask("task", "main", "pause", "ann")
    fence = leases.acquire("task", "main", "me", 30)
    assert leases.asked("task", "main", fence) is None
    assert leases.ask("task", "main", "pause", "ann")
    assert leases.asked("task", "main", fence) == ("pause", "ann")
    with pytest.raises(Conflict, match="ann asked it to pause already"):
        leases.ask("task", "main", "pause", "bob")
    assert leases.ask("task", "main", "cancel", "bob")
    for request in ("pause", "cancel"):
        with pytest.raises(Conflict, match="bob asked it to cancel already"):
            leases.ask("task", "main", request, "ann")  # type: ignore[arg-type]
    assert leases.asked("task", "main", fence) == ("cancel", "bob")


def test_what_was_asked_ends_with_the_lease(leases: Leases) -> None:
    fence = leases.acquire("task", "main", "me", 30)
    leases.ask("task", "main", "pause", "ann")
    leases.release("task", "main", fence)
    assert not leases.ask("task", "main", "pause", "ann")
    with pytest.raises(BranchMoved):
        leases.asked("task", "main", fence)
    assert leases.asked("task", "main", leases.acquire("task", "main", "me", 30)) is None


def test_nobody_is_asked_whose_lease_ran_out(leases: Leases) -> None:
    leases.acquire("task", "main", "me", 0.01)
    time.sleep(0.05)
    assert not leases.ask("task", "main", "cancel", "ann")
