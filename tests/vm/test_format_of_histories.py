"""Whole histories by the page: every commit of a run gets the same id from the independent encoder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_commits import Objects, client_commit
from random_plans import TOOLS, random_steps
from rig import LIMITS, TASK, Rig, assign, call, jump

from app.history.commits import Commit
from app.plan.parse import plan_from_json
from app.services.scribes import open_fork

# The encoder lies with the tests of the format.
sys.path.insert(0, str(Path(__file__).parent.parent / "history"))

import independent_commits as commits
import independent_format

ENGINE = "StackVM"
SEEDS = (2, 3, 4, 6, 7, 8, 10, 14, 17, 19, 21, 29, 30, 32, 36, 38, 40, 42, 44, 45)  # values of moderate size


def possible_ids(rig: Rig, commit: Commit, parent: Commit | None) -> Iterator[str]:
    """The ids the page allows, from what the commit holds; the time from its parent's."""
    state = rig.repository.reader.snapshot(commit.tree)
    folder = commits.commit_folder(
        state.goal, state.plan, state.control, state.record, state.variables, state.errors
    )
    tree = independent_format.object_ids(folder, {})
    time = commit.time if parent is None else commits.commit_time(state.record, parent.time)
    who = state.record.get("who", ENGINE)
    for line in commits.possible_lines(state.record, state.goal, state.plan, state.control, state.errors):
        above = None if parent is None else parent.id
        yield commits.commit_id(commits.commit_object(tree, above, who, time, line, state.record, TASK))


def assert_history_is_by_the_page(rig: Rig, branch: str = "main") -> None:
    parent = None
    for commit in reversed(list(rig.repository.log(rig.head(branch)))):
        assert commit.id in possible_ids(rig, commit, parent), commit.message
        parent = commit


@pytest.mark.parametrize("seed", SEEDS)
def test_random_histories_are_by_the_page(seed: int) -> None:
    rig = Rig(random_steps(seed), TOOLS)
    if rig.run().status == "failed":
        rig.run()
    assert_history_is_by_the_page(rig)


def test_stops_and_decisions_are_by_the_page() -> None:
    steps = [assign(0, a=1), jump(1, condition="a == 1", jump_if_true=0, jump_if_false=2), assign(2, b=2)]
    rig = Rig(steps, limits={**LIMITS, "steps": 5})
    rig.run()
    limits = {"steps": 9, "value_bytes": 50_000}
    record = {"choice": "limit", "limits": limits, "who": "Jörg <x>", "decided_ms": rig.clock() + 10**6}
    scribe = rig.open_scribe()
    scribe.decide(record, author="Jörg <x>")
    scribe.journal.flush()
    rig.run()
    assert rig.kinds().count("stop") == 2
    assert_history_is_by_the_page(rig)


def test_errors_that_the_plan_handles_are_by_the_page() -> None:
    steps = [
        call(0, "find", "a", {"key": "${nowhere.x}"}, on_error="continue"),
        call(1, "nothing", "b", on_error={"goto": 3}),
        assign(2, never=1),
        assign(3, a=1, b=2, c=3, d=4, e=5, f=6, g=7),
        {"seq_no": 4, "type": "reasoning", "parameters": {"chain_of_thoughts": "x"}},
        call(5, "mix", {"b": "text", "a": "n"}, {"a": 1}),
        call(6, "find", "c", {"key": "${item}"}, for_each=list(range(30)), on_error="continue"),
        jump(7, target_seq=8),
        assign(8, final_answer="${{ missing }}"),
    ]
    rig = Rig(steps, TOOLS)
    rig.run()
    assert rig.kinds().count("step") >= 7
    assert_history_is_by_the_page(rig)


def test_revisions_and_edits_are_by_the_page() -> None:
    steps = [assign(0, a=1), jump(1, condition="a > 1", jump_if_true=2), assign(2, b="x" * 2_000)]
    rig = Rig(steps)
    rig.run()
    rig.revise("second", [*steps[:2], assign(2, b="other", c="${a}")])
    rig.run("second")
    scribe = open_fork(rig.repository, TASK, rig.head("second"), "third")
    revises = {"branch": "second", "commit": rig.head("second").hex()}
    record = {"who": "Jörg <x>", "decided_ms": rig.clock() + 10**6, "revises": revises}
    scribe.edit({"c": [1, 2], "B": None}, record, author="Jörg <x>")
    scribe.journal.flush()
    assert rig.kinds("third")[-1] == "edit" and rig.variables("third")["c"] == [1, 2]
    assert_history_is_by_the_page(rig, "third")
    assert rig.replay("third").divergence is None


def test_pushes_are_by_the_page() -> None:
    steps = [assign(0, a=1), jump(1, condition="a > 1", jump_if_true=2), assign(2, b="x" * 2_000)]
    rig = Rig(steps)
    rig.run()
    line = list(rig.repository.log(rig.head()))
    fork, start = line[1], line[0]
    scribe = open_fork(rig.repository, TASK, fork.oid, "mine")
    plan = [*steps[:2], assign(2, b="other", c="${a}")]
    objects: Objects = {}
    tip = client_commit(rig.repository, objects, start.oid, plan)
    for item in objects.values():
        scribe.journal.sink.add(item.kind, item.data)
    record = {
        "who": "Jörg <x>",
        "decided_ms": rig.clock() + 10**6,
        "pushed": tip.hex(),
        "pc": 2,
        "visits": {},
        "revises": {"branch": "main", "commit": start.id},
    }
    scribe.push(plan_from_json(plan), record, author="Jörg <x>")
    scribe.journal.flush()
    rig.run("mine")
    assert rig.kinds("mine") == ["goal", "plan", "step", "step", "push", "step"]
    assert_history_is_by_the_page(rig, "mine")
    assert rig.replay("mine").divergence is None
