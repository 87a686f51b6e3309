"""A small part of ``make chaos``, with fixed seeds; and that the runner finds what is broken on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos.plans import random_plan, run_moves
from chaos.sabotage import SABOTAGES

TESTS = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the runner leaves to be looked into does not stay."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def chaos(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the figures and what is said beside them."""
    paths = [TESTS.parent, TESTS, TESTS / "vm"]
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--json", "--jobs", "2", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.timeout(170)
def test_kills_lose_nothing_and_repeat_nothing() -> None:
    code, figures, said = chaos("--seed", "7", "--kills", "18", "--points", "12", "--only", "random,points")
    assert code == 0, said
    assert figures["kills"] >= 24  # some come after the end of a run, more of them on a busy machine
    assert figures["ended_with_the_right_answer"] == figures["scenarios"]
    assert figures["commits_that_readers_saw"] > 50


@pytest.mark.timeout(170)
def test_a_stalled_worker_does_no_harm_and_says_so() -> None:
    code, figures, said = chaos("--seed", "7", "--fences", "6", "--only", "fences")
    assert code == 0, said
    assert figures["stalls"] >= 4


FOUND = {
    "forget-attempts": (["--only", "points", "--point", "call.returned", "--unit", "1"], "irreversible"),
    "new-keys": (["--only", "points", "--point", "call.returned", "--unit", "1"], "keys"),
    "ignore-fences": (["--only", "fences", "--unit", "0"], "lost"),
}


@pytest.mark.timeout(170)
@pytest.mark.parametrize("name", FOUND)
def test_what_is_broken_on_purpose_is_found(name: str) -> None:
    arguments, what = FOUND[name]
    code, figures, said = chaos("--seed", "1", "--stores", "sql", "--first", "--sabotage", name, *arguments)
    assert code == 1
    assert any(what in violation["what"] for violation in figures["violations"]), said
    assert f"--sabotage {name}" in said


def test_every_sabotage_says_what_it_breaks() -> None:
    assert set(FOUND) <= set(SABOTAGES)
    assert all(each.what for each in SABOTAGES.values())


def test_the_same_seed_gives_the_same_plan_and_most_plans_change_something() -> None:
    plans = [random_plan(seed) for seed in range(100)]
    assert plans == [random_plan(seed) for seed in range(100)]
    assert sum(bool(plan.changes) for plan in plans) > 70
    assert run_moves([]).values == {}
