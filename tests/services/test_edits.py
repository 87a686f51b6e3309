"""A person sets variables at a commit, and the run goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from plans import assign, call

from app.db.base import TaskRow
from app.errors import Conflict, InputError, InvalidValue, NotFound
from app.services.branches import list_branches
from app.services.edits import set_variables
from app.services.inspect import read_log
from app.services.replays import replay_branch
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts

CALLS: list[Any] = []


@tool(effect="read")
def ask(word: Any) -> Any:
    """Gives back what it is asked; nothing to "bad"."""
    CALLS.append(word)
    if word == "bad":
        raise ValueError("no answer")
    return word


PLAN = [
    assign(1, a="one", b="two"),
    call(2, "ask", "x", {"word": "${a}"}),
    call(3, "ask", "y", {"word": "${b}"}),
    assign(4, final_answer="${x} ${y}"),
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    CALLS.clear()
    workplace, database = make_workplace(tmp_path, [ask])
    yield workplace
    database.close()


def submit(place: Workplace, plan: list[dict[str, Any]] = PLAN) -> TaskRow:
    task = submit_task(place, NewTask(goal="test", plan=json.dumps(plan)))
    run_branch(place, task, "main", RunOptions(Interrupts()))
    return find_task(place, task.id)


def test_only_what_depends_on_the_variable_is_asked_again(place: Workplace) -> None:
    task = submit(place)
    edited = set_variables(place, task, {"b": "three"}, at="main~3")
    assert edited.branch == "edit-1" and find_task(place, task.id).current_branch == "edit-1"
    report = run_branch(place, task, edited.branch, RunOptions(Interrupts()))
    assert report.final_answer == "one three"
    assert sorted(CALLS) == ["one", "three", "two"]  # side by side, in any order
    assert replay_branch(place, task, edited.branch)[1].divergence is None


def test_a_failed_run_goes_on_with_what_was_set(place: Workplace) -> None:
    task = submit(place, [assign(1, a="bad"), *PLAN[1:2], assign(4, final_answer="${x}")])
    edited = set_variables(place, task, {"a": "good"})
    assert run_branch(place, task, edited.branch, RunOptions(Interrupts())).final_answer == "good"
    assert replay_branch(place, task, edited.branch)[1].divergence is None


def test_at_the_end_of_a_run_there_is_nothing_to_go_on_with(place: Workplace) -> None:
    task = submit(place)
    edited = set_variables(place, task, {"note": {"deep": [1]}}, name="noted")
    report = run_branch(place, task, "noted", RunOptions(Interrupts()))
    assert report.status == "completed" and report.head == edited.commit
    assert {view.name: view.status for view in list_branches(place, task)}["noted"] == "completed"


def test_the_commit_names_the_person(place: Workplace) -> None:
    task = submit(place)
    edited = set_variables(place, task, {"b": 1})

    entry = next(read_log(place, task, edited.branch, with_records=True))
    assert entry.record is not None
    assert (entry.commit.kind, entry.commit.author) == ("edit", "tester")
    assert entry.record["variables"] == {"b": 1} and entry.record["revises"]["branch"] == "main"


@pytest.mark.parametrize(
    ("variables", "more", "error"),
    [
        ({}, {}, InputError),
        ({"no name": 1}, {}, InputError),
        ({"a": float("nan")}, {}, InvalidValue),
        ({"a": "x" * 20_000_000}, {}, InvalidValue),
        ({"a": 1}, {"at": "nowhere"}, NotFound),
        ({"a": 1}, {"name": "main"}, Conflict),
        ({"a": 1}, {"at": "main~5"}, Conflict),
    ],
)
def test_what_can_not_be_is_refused_and_leaves_nothing(
    place: Workplace, variables: dict[str, Any], more: dict[str, Any], error: type[Exception]
) -> None:
    task = submit(place)
    with pytest.raises(error):
        set_variables(place, task, variables, **more)
    assert [view.name for view in list_branches(place, task)] == ["main"]
