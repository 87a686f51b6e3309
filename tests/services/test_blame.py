"""Who set a variable, every value it had, where an expression turned false: what users are told, on every store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace

from app.db.base import TaskRow
from app.errors import DamagedHistory, InputError, NotFound
from app.history.memory_store import MemoryStoreFactory
from app.services.bisects import bisect_branch
from app.services.blame import blame_variables
from app.services.branches import fork_branch
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, open_repository, submit_task
from app.services.values import read_values
from app.services.workplace import Workplace
from app.tools import ToolContext, tool
from app.vm.interrupts import Interrupts

gate = threading.Event()
begun = threading.Event()


@tool(effect="read")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@tool(effect="read")
def wait(context: ToolContext) -> str:
    """Waits until it is told to go on."""
    begun.set()
    while not gate.is_set():
        context.cancellation.wait(0.01)
    return "waited"


@pytest.fixture(params=["memory", "sql", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workplace]:
    kind = "sql" if request.param == "memory" else request.param
    workplace, database = make_workplace(tmp_path, [look, wait], history_backend=kind)
    if request.param == "memory":
        workplace = replace(workplace, stores={"sql": MemoryStoreFactory()})
    yield workplace
    database.close()


def submit(place: Workplace, *steps: tuple[str, dict[str, Any]]) -> TaskRow:
    plan = [
        {"seq_no": n, "type": kind, "parameters": parameters} for n, (kind, parameters) in enumerate(steps, 1)
    ]
    return submit_task(place, NewTask(goal="look back", plan=json.dumps(plan)))


def run(place: Workplace, *steps: tuple[str, dict[str, Any]]) -> TaskRow:
    task = submit(place, *steps)
    run_branch(place, task, "main", RunOptions(Interrupts()))
    return find_task(place, task.id)


def looked(value: Any, outputs: Any) -> tuple[str, dict[str, Any]]:
    return "calling", {"tool_name": "look", "tool_params": {"value": value}, "output_vars": outputs}


LOOP = (
    ("assign", {"i": 0, "text": "none", "rows": []}),
    looked("number ${i}", "text"),
    ("assign", {"i": "${{ i + 1 }}", "rows": "${{ rows + [text] }}", "last": "same"}),
    ("jmp", {"condition": "i < 3", "jump_if_true": 2}),
    ("assign", {"final_answer": "${rows}"}),
)


def test_every_variable_is_told_with_the_commit_that_last_set_it(place: Workplace) -> None:
    task = run(place, *LOOP)
    blame = blame_variables(place, task, None).to_json()
    assert (blame["task_id"], blame["branch"]) == (task.id, "main")
    found = {
        each["name"]: (each["seq_no"], each["visit"], each["type"], each["origin"]["kind"], each["value"])
        for each in blame["variables"]
    }
    rows = ["number 0", "number 1", "number 2"]
    assert found == {
        "final_answer": (5, 1, "assign", "plan", rows),
        "i": (3, 3, "assign", "plan", 3),
        "last": (3, 3, "assign", "plan", "same"),
        "rows": (3, 3, "assign", "plan", rows),
        "text": (2, 3, "calling", "tool", "number 2"),
    }
    (only,) = blame_variables(place, task, "main~5", "text").variables
    assert (only.value, only.last_set.visit, only.last_set.to_json()["tool"]) == ("number 1", 2, "look")


def test_values_are_told_oldest_first_and_set_again_is_one_of_them(place: Workplace) -> None:
    task = run(place, *LOOP)
    found = [each.to_json() for each in read_values(place, task, None, "text")]
    assert [(each["value"], each["change"], each["seq_no"], each["visit"]) for each in found] == [
        ("none", "set", 1, 1),
        ("number 0", "changed", 2, 1),
        ("number 1", "changed", 2, 2),
        ("number 2", "changed", 2, 3),
    ]
    assert [each.change for each in read_values(place, task, None, "last")] == ["set", "again", "again"]
    assert [each.value for each in read_values(place, task, None, "i", limit=2)] == [2, 3]
    assert [each.change for each in read_values(place, task, None, "i", limit=2)] == ["changed", "changed"]


def test_a_bisection_names_the_turn_and_why(place: Workplace) -> None:
    task = run(place, *LOOP)
    found = bisect_branch(place, task, None, "len(rows) < 2").to_json()
    assert (found["first_false"]["seq_no"], found["first_false"]["visit"]) == (3, 2)
    assert (found["last_true"]["seq_no"], found["last_true"]["visit"]) == (2, 2)
    assert found["start"]["seq_no"] == 1
    assert found["variables"] == [{"name": "rows", "old": ["number 0"], "new": ["number 0", "number 1"]}]
    assert (found["commits"], found["evaluated"], found["skipped"], found["at_head"]) == (13, 3, 0, False)
    never = bisect_branch(place, task, None, "len(rows) <= i").to_json()
    assert (never["first_false"], never["at_head"], never["variables"]) == (None, True, [])
    assert never["last_true"]["commit"] == never["commit"]


def test_an_expression_that_turns_back_is_found_at_its_first_turn(place: Workplace) -> None:
    task = run(place, *LOOP)
    found = bisect_branch(place, task, None, "i != 1")
    assert found.first_false is not None
    assert (found.first_false.visit, found.at_head) == (1, True)


def test_a_state_without_a_value_is_passed_over(place: Workplace) -> None:
    task = run(place, *LOOP)
    found = bisect_branch(place, task, None, "rows[0] == 'number 0' and i < 3").to_json()
    assert (found["first_false"]["visit"], found["skipped"]) == (3, 1)
    assert "no index 0" in found["skipped_because"]
    assert found["start"]["seq_no"] == 3
    back = bisect_branch(place, task, None, "1 / (i - 3) < 0")
    assert (back.first_false, back.at_head, back.last_true.visit) == (None, None, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("i > 0", "is false from the start, at commit"),
        ("i + 1", "gives a number at commit"),
        ("rows", "gives a list at commit"),
        ("len(i) > 0", "can't be evaluated at any commit"),
        ("1 < 2", "reads no variable"),
        ("i <", "expression 'i <'"),
        ("open('x')", "open"),
        ("", "expression"),
        ("(" * 200, "expression"),
    ],
)
def test_an_expression_that_can_not_turn_is_refused(place: Workplace, text: str, words: str) -> None:
    task = run(place, *LOOP)
    with pytest.raises(InputError) as caught:
        bisect_branch(place, task, None, text)
    assert words in caught.value.message


@pytest.mark.parametrize(
    "name", ["txt", "Text", "", "a.b", "../x", "\x1b[31m", "\udcff", "é", "x" * 100_000, "_0"]
)
def test_an_unknown_variable_is_one_clear_error(place: Workplace, name: str) -> None:
    task = run(place, *LOOP)
    for ask in (
        lambda: blame_variables(place, task, None, name),
        lambda: list(read_values(place, task, None, name)),
    ):
        with pytest.raises(NotFound, match="no variable") as caught:
            ask()
        assert len(caught.value.message) < 200
        assert caught.value.hint is not None
    if name == "txt":
        assert caught.value.hint == "did you mean text"


def test_an_unknown_variable_of_an_expression_is_one_clear_error(place: Workplace) -> None:
    task = run(place, *LOOP)
    with pytest.raises(NotFound, match="no variable 'row'") as caught:
        bisect_branch(place, task, None, "len(row) < 2 and i < 2")
    assert caught.value.hint == "did you mean rows"


def test_a_task_that_has_not_run_has_no_variables(place: Workplace) -> None:
    task = submit(place, *LOOP)
    assert blame_variables(place, task, None).variables == []
    for ask in (
        lambda: blame_variables(place, task, None, "i"),
        lambda: list(read_values(place, task, None, "i")),
        lambda: bisect_branch(place, task, None, "i < 1"),
    ):
        with pytest.raises(NotFound, match="no variable 'i'") as caught:
            ask()
        assert caught.value.hint == "main sets no variable"


def test_a_step_that_failed_set_nothing(place: Workplace) -> None:
    task = run(
        place, ("assign", {"a": 1}), ("assign", {"a": "${{ 1 / 0 }}"}), ("assign", {"final_answer": 1})
    )
    assert task.status == "failed"
    assert [each.value for each in read_values(place, task, None, "a")] == [1]
    assert blame_variables(place, task, None, "a").variables[0].last_set.commit.seq_no == 1
    assert bisect_branch(place, task, None, "a == 1").first_false is None


def test_branches_are_looked_at_one_by_one(place: Workplace) -> None:
    task = run(place, *LOOP)
    fork_branch(place, task, "main~6", "early")
    assert blame_variables(place, task, "early", "i").variables[0].value == 1
    assert [each.value for each in read_values(place, task, "early", "i")] == [0, 1]
    assert bisect_branch(place, task, "early", "i < 2").first_false is None
    assert bisect_branch(place, task, "main", "i < 2").first_false is not None
    assert blame_variables(place, task, "main~1").branch is None
    for ask in (blame_variables, lambda *given: list(read_values(*given, "i"))):
        with pytest.raises(NotFound, match="nowhere"):
            ask(place, task, "nowhere")


def test_a_branch_that_runs_can_be_looked_at(place: Workplace) -> None:
    gate.clear()
    begun.clear()
    steps = (
        ("assign", {"a": 1}),
        ("calling", {"tool_name": "wait", "output_vars": "b"}),
        ("assign", {"final_answer": 1}),
    )
    task = submit(place, *steps)
    running = threading.Thread(target=run_branch, args=(place, task, "main", RunOptions(Interrupts())))
    running.start()
    try:
        assert begun.wait(10)
        assert [each.name for each in blame_variables(place, task, None).variables] == ["a"]
        assert [each.value for each in read_values(place, task, None, "a")] == [1]
        assert bisect_branch(place, task, None, "a < 2").at_head is True
    finally:
        gate.set()
        running.join()
    assert [each.name for each in blame_variables(place, task, None).variables] == ["a", "b", "final_answer"]


def test_a_damaged_history_says_so(tmp_path: Path) -> None:
    workplace, database = make_workplace(tmp_path, [look])
    place = replace(workplace, stores={"sql": MemoryStoreFactory()})
    task = run(place, *LOOP)
    with open_repository(place, task) as repository:
        trees = [repository.resolve(f"main~{back}").tree for back in (6, 7)]
        for tree in trees:
            del repository.store._repository.objects[tree]  # type: ignore[attr-defined]
    for ask in (
        lambda: list(read_values(place, task, None, "i")),
        lambda: bisect_branch(place, task, None, "i < 9"),
    ):
        with pytest.raises(DamagedHistory, match="is missing"):
            ask()
    assert (
        blame_variables(place, task, None, "i").variables[0].value == 3
    )  # it lies before what was looked at
    database.close()
