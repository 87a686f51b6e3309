"""Faults sown into valid plans are found before step one, and valid plans are never blamed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.faults.measure import Count, Fault, alarms, shows, sow_all
from benchmarks.faults.operators import OPERATORS
from benchmarks.faults.random_plans import random_plan
from benchmarks.faults.subjects import NotValid, Subject, subject, subjects
from benchmarks.faults.ways import answers, arrivals, is_unset, may_be_unset, reached, traps
from benchmarks.faults.world import World
from benchmarks.faults.written import assign, call, judged, jump, numbered, when

ROOT = Path(__file__).parents[2]
BAR = 0.95


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def valid(world: World) -> list[Subject]:
    """The examples, the written plans and some random ones; each ran to its answer several times."""
    return list(subjects(world, range(4)))


@pytest.fixture(scope="module")
def faults(valid: list[Subject]) -> list[Fault]:
    return list(sow_all(valid, 1, 1))


def test_nothing_is_said_of_a_valid_plan(world: World, valid: list[Subject]) -> None:
    more = [subject(world, f"random {seed}", random_plan(seed)) for seed in range(100, 200)]
    assert [(each.name, str(finding)) for each, finding in alarms([*valid, *more])] == []


@pytest.mark.parametrize("code", OPERATORS)
def test_faults_of_a_code_are_found(faults: list[Fault], code: str) -> None:
    count = Count()
    for fault in faults:
        if fault.code == code:
            count.add(fault)
    missed = [(fault.operator, fault.origin) for fault in count.missed]
    assert count.share >= BAR, missed
    assert count.named >= 0.8 * count.sown, "found, but not for what they are"


def test_every_operator_sows(faults: list[Fault]) -> None:
    sown = Counter(fault.operator for fault in faults)
    assert [
        each.__name__ for of_code in OPERATORS.values() for each in of_code if not sown[each.__name__]
    ] == []
    assert min(len(of_code) for of_code in OPERATORS.values()) >= 4
    assert len(faults) > 1_200


def test_faults_go_wrong_where_nobody_looks(valid: list[Subject], faults: list[Fault]) -> None:
    by_name = {each.name: each for each in valid}
    seen = [shows(by_name[fault.origin], fault) for fault in faults if fault.code in ("P010", "P011")]
    shown = [each for each in seen if each is not None]
    # The others are in steps that no run came to, or whose errors the plan handles.
    assert sum(shown) > 0.8 * len(shown) > 100


def test_the_same_seed_sows_the_same(valid: list[Subject], faults: list[Fault]) -> None:
    again = list(sow_all(valid[:3], 1, 1))
    assert [fault.broken for fault in again] == [fault.broken for fault in faults[: len(again)]]
    assert [fault.broken for fault in sow_all(valid[:3], 1, 2)] != [fault.broken for fault in again]


def test_a_plan_that_fails_is_no_subject(world: World) -> None:
    with pytest.raises(NotValid, match="nowhere"):
        subject(world, "broken", numbered(assign(final_answer="${nowhere}")))


def test_the_command_prints_the_table() -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "--plans", "0", "--most", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("│ P")] == list(OPERATORS)
    assert "18 valid plans, 0 false alarms" in done.stdout


class TestWays:
    """What defines a fault is right itself."""

    LOOP = numbered(assign(i=0), assign(i="${i} + 1"), when("i < 3", 2), assign(final_answer="${i}"))

    def test_a_variable_of_a_loop_is_set_from_the_second_time_on(self) -> None:
        steps = self.LOOP[1:]
        assert arrivals(steps, 0, "i") == {True, False}
        assert arrivals(steps, 0, "i", first=True) == {False}
        assert is_unset(steps, 0, "i")
        assert not is_unset(self.LOOP, 1, "i")

    def test_a_variable_of_one_branch_may_be_unset(self) -> None:
        steps = numbered(judged("?", 2, 3), assign(a=1), assign(final_answer="${a}"))
        assert may_be_unset(steps, 2, "a")
        assert not is_unset(steps, 2, "a")

    def test_where_an_error_leads_the_outputs_are_not_set(self) -> None:
        more = {"on_error": {"goto": 3}}
        steps = numbered(
            call("fetch_page", "page", more, url="u"), assign(final_answer=1), assign(final_answer=2)
        )
        assert is_unset(steps, 2, "page")
        assert arrivals(steps, 2, "error") == {True}
        assert arrivals(steps, 1, "page") == {True}

    def test_steps_behind_a_jump_are_not_reached(self) -> None:
        steps = numbered(jump(3), assign(a=1), assign(final_answer=1))
        assert reached(steps) == {0, 2, -1}

    def test_a_loop_without_an_end_traps(self) -> None:
        assert traps(numbered(assign(a=1), jump(1), assign(final_answer=1)))
        assert not traps(self.LOOP)

    def test_ways_end_with_and_without_an_answer(self) -> None:
        assert answers(numbered(judged("?", 2, 3), assign(final_answer=1), assign(a=1))) == (True, True)
        assert answers(self.LOOP) == (True, False)
