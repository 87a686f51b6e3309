"""The contract of ledgers, run on every kind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from databases import KINDS, shared_database

from app.db.base import NO_ITEM, Attempt, FinishedEffect, Ledger
from app.db.leases import SqlLeases
from app.db.ledger import SqlLedger
from app.db.memory import MemoryLedger
from app.db.session import open_database
from app.errors import BranchMoved, Conflict

KEY, OTHER_KEY = "a" * 64, "b" * 64


def attempt(key: str = KEY, number: int = 1, branch: str = "main", **changes: object) -> Attempt:
    made = Attempt(
        key=key,
        branch=branch,
        seq_no=3,
        visit=1,
        item=None,
        tool="send_mail",
        inputs_hash="c" * 64,
        number=number,
        started_ms=1_700_000_000_000 + number,
        state="begun",
        error=None,
    )
    return made._replace(**changes)


@pytest.fixture(params=["memory", *KINDS])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, Ledger]]:
    """The ledgers of two tasks in one place."""
    if request.param == "memory":
        yield MemoryLedger(), MemoryLedger()
        return
    database = open_database(shared_database(request.param, tmp_path))
    yield SqlLedger(database, "task"), SqlLedger(database, "other task")
    database.close()


@pytest.fixture
def ledger(ledgers: tuple[Ledger, Ledger]) -> Ledger:
    return ledgers[0]


def test_an_attempt_is_kept_as_it_was_begun(ledger: Ledger) -> None:
    plain, item = attempt(), attempt(OTHER_KEY, item=7, seq_no=2**40, started_ms=2**42)
    ledger.begin(plain)
    ledger.begin(item)
    assert ledger.attempts(KEY) == [plain]
    assert ledger.attempts(OTHER_KEY) == [item]
    assert ledger.attempts("d" * 64) == []


def test_attempts_of_a_call_come_by_number(ledger: Ledger) -> None:
    for number in (2, 1, 10):
        ledger.begin(attempt(number=number))
    assert [row.number for row in ledger.attempts(KEY)] == [1, 2, 10]


def test_one_attempt_is_begun_by_one_worker(ledger: Ledger) -> None:
    ledger.begin(attempt())
    with pytest.raises(Conflict, match="attempt 1 of send_mail"):
        ledger.begin(attempt(started_ms=5))
    assert ledger.attempts(KEY) == [attempt()]


def test_of_many_that_begin_one_attempt_one_does(ledger: Ledger) -> None:
    def begin(_: int) -> bool:
        try:
            ledger.begin(attempt())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(begin, range(6))).count(True) == 1


def test_closing_says_what_is_known(ledger: Ledger) -> None:
    ledger.begin(attempt())
    ledger.begin(attempt(number=2))
    ledger.close(KEY, 1, "timeout", "overran 5 s: é \U0001f40d")
    assert ledger.attempts(KEY) == [
        attempt(state="timeout", error="overran 5 s: é \U0001f40d"),
        attempt(number=2),
    ]


def test_an_error_may_hold_any_character_and_be_long(ledger: Ledger) -> None:
    ledger.begin(attempt())
    ledger.close(KEY, 1, "raised", "nul \0, half a pair \ud800, " + "x" * 100_000)
    (row,) = ledger.attempts(KEY)
    assert row.error is not None
    assert row.error.startswith("nul ")
    assert row.error.endswith("x" * 100_000)


def test_closing_what_was_not_begun_is_nothing(ledger: Ledger) -> None:
    ledger.close(KEY, 1, "raised", "late")
    assert ledger.attempts(KEY) == []


def test_attempts_of_a_branch_come_oldest_first(ledger: Ledger) -> None:
    late = attempt(started_ms=30)
    early = attempt(OTHER_KEY, started_ms=20)
    for row in (late, early, attempt("e" * 64, branch="Main")):
        ledger.begin(row)
    assert ledger.branch_attempts("main") == [early, late]


def test_outcomes_are_kept_by_item(ledger: Ledger) -> None:
    large = bytes(range(256)) * 4096
    ledger.save_effects("main", [FinishedEffect(3, 1, 0, "hash", b"\x00\xff'\"\\")])
    ledger.save_effects("main", [FinishedEffect(3, 1, 200, "other hash", large)])
    ledger.save_effects("main", [FinishedEffect(3, 2, 0, "hash", b"")])
    assert ledger.effects("main", 3, 1) == {0: ("hash", b"\x00\xff'\"\\"), 200: ("other hash", large)}
    assert ledger.effects("main", 3, 2) == {0: ("hash", b"")}
    assert ledger.effects("main", 4, 1) == {}


def test_a_later_outcome_replaces_an_earlier_one(ledger: Ledger) -> None:
    ledger.save_effects("main", [FinishedEffect(3, 1, 0, "hash", b"first")])
    ledger.save_effects("main", [FinishedEffect(3, 1, 0, "new hash", b"second")])
    assert ledger.effects("main", 3, 1) == {0: ("new hash", b"second")}


def test_eight_items_may_be_saved_at_once(ledger: Ledger) -> None:
    def save(item: int) -> None:
        ledger.save_effects("main", [FinishedEffect(3, 1, item, "hash", b"%d" % item)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(40)))
    assert ledger.effects("main", 3, 1) == {item: ("hash", b"%d" % item) for item in range(40)}


def test_dropping_outcomes_leaves_the_others(ledger: Ledger) -> None:
    for place in (("main", 3, 1), ("main", 3, 2), ("main", 4, 1), ("fork", 3, 1)):
        ledger.save_effects(place[0], [FinishedEffect(*place[1:], item, "hash", b"x") for item in (0, 1)])
    ledger.drop_effects("main", [(3, 1), (5, 1), (4, 1)])
    assert ledger.effects("main", 3, 1) == {}
    assert ledger.effect_places("main") == {(3, 2)}
    assert ledger.effect_places("fork") == {(3, 1)}
    ledger.drop_effects("main", [])
    assert ledger.effect_places("main") == {(3, 2)}


def test_outcomes_that_arrived_together_are_kept_together(ledger: Ledger) -> None:
    finished = [FinishedEffect(seq_no, 2, NO_ITEM, f"hash {seq_no}", b"%d" % seq_no) for seq_no in range(300)]
    ledger.save_effects("main", finished)
    ledger.save_effects("main", [])
    assert ledger.effect_places("main") == {(seq_no, 2) for seq_no in range(300)}
    assert ledger.effects("main", 299, 2) == {NO_ITEM: ("hash 299", b"299")}
    ledger.save_effects("main", [effect._replace(outcome=b"again") for effect in finished[:2]])
    assert ledger.effects("main", 1, 2) == {NO_ITEM: ("hash 1", b"again")}
    assert ledger.effects("main", 2, 2) == {NO_ITEM: ("hash 2", b"2")}


def test_dropping_a_branch_takes_all_of_it_and_no_more(ledgers: tuple[Ledger, Ledger]) -> None:
    ledger, other = ledgers
    for one in ledgers:
        one.begin(attempt())
        one.save_effects("main", [FinishedEffect(3, 1, 0, "hash", b"x")])
    ledger.begin(attempt(OTHER_KEY, branch="fork"))
    ledger.save_effects("fork", [FinishedEffect(3, 1, 0, "hash", b"x")])
    ledger.drop_branch("main")
    assert ledger.branch_attempts("main") == [] and ledger.effects("main", 3, 1) == {}
    assert ledger.branch_attempts("fork") != [] and ledger.effects("fork", 3, 1) != {}
    assert other.branch_attempts("main") != [] and other.effects("main", 3, 1) != {}


def test_dropping_a_ledger_leaves_the_other_task_alone(ledgers: tuple[Ledger, Ledger]) -> None:
    ledger, other = ledgers
    for one in ledgers:
        one.begin(attempt())
        one.save_effects("main", [FinishedEffect(3, 1, 0, "hash", b"x")])
    ledger.drop()
    assert ledger.attempts(KEY) == [] and ledger.effects("main", 3, 1) == {}
    assert other.attempts(KEY) == [attempt()] and other.effects("main", 3, 1) != {}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_begun_is_there_for_another_process(kind: str, tmp_path: Path) -> None:
    url = shared_database(kind, tmp_path)
    first, second = open_database(url), open_database(url)
    SqlLedger(first, "task").begin(attempt())
    assert SqlLedger(second, "task").attempts(KEY) == [attempt()]
    first.close()
    second.close()


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_lease_no_attempt_is_begun(kind: str, tmp_path: Path) -> None:
    database = open_database(shared_database(kind, tmp_path))
    leases, plain = SqlLeases(database), SqlLedger(database, "task")
    first = leases.acquire("task", "main", "me", 30)
    mine = plain.fenced("main", first)
    mine.begin(attempt())
    second = leases.acquire("task", "main", "you", 30, dead="me")
    with pytest.raises(BranchMoved, match="another worker"):
        mine.begin(attempt(OTHER_KEY))
    plain.fenced("main", second).begin(attempt(OTHER_KEY))
    leases.release("task", "main", second)
    with pytest.raises(BranchMoved):
        plain.fenced("main", second).begin(attempt(number=2))
    assert [each.number for each in plain.branch_attempts("main")] == [1, 1]
    database.close()
