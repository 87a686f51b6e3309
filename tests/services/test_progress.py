"""What lists say of how far runs are."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from plans import assign, call
from scripting import Script, reply

from app.db.base import Progress, TaskRow
from app.services import progress
from app.services.branches import delete_branch, fork_branch
from app.services.edits import set_variables
from app.services.exports import export_task
from app.services.imports import import_task
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task, task_document
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts

GATE = threading.Event()
LOOP: list[dict[str, Any]] = [
    assign(1, n=0),
    assign(2, n="${{ n + 1 }}"),
    {
        "seq_no": 3,
        "type": "jmp",
        "parameters": {"condition": "n < 4", "jump_if_true": 2, "jump_if_false": 4},
    },
    assign(4, final_answer="${n}"),
]


@tool(effect="read")
def pass_gate(word: str) -> str:
    """Waits until it may pass; the first word passes at once."""
    assert word == "first" or GATE.wait(30)
    return word


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    GATE.clear()
    workplace, database = make_workplace(tmp_path, [pass_gate])
    yield workplace
    database.close()


def submit(place: Workplace, plan: list[dict[str, Any]]) -> TaskRow:
    return submit_task(place, NewTask(goal="test", plan=json.dumps(plan)))


def run(place: Workplace, task: TaskRow, branch: str = "main") -> None:
    run_branch(place, task, branch, RunOptions(Interrupts()))


def told(place: Workplace, task: TaskRow, *names: str) -> tuple[Any, ...]:
    document = task_document(find_task(place, task.id))
    return tuple(document[name] for name in names)


def test_a_new_task_has_done_nothing_of_its_plan(place: Workplace) -> None:
    task = submit(place, LOOP)
    assert told(place, task, "steps", "planned_steps", "worked_ms", "cost", "branches") == (0, 4, 0, 0.0, 1)


def test_a_loop_does_more_steps_than_are_planned(place: Workplace) -> None:
    task = submit(place, LOOP)
    run(place, task)
    assert told(place, task, "steps", "planned_steps", "branches") == (10, 4, 1)


def test_what_calls_took_is_told(place: Workplace) -> None:
    task = submit(place, [call(1, "pass_gate", "final_answer", {"word": "first"})])
    run(place, task)
    assert told(place, task, "worked_ms")[0] >= 10  # the clock ticks


def test_how_far_a_run_is_is_told_while_it_goes_on(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_NOTED_SECONDS", 0.0)
    steps = [call(n, "pass_gate", f"w{n}", {"word": "first" if n == 1 else "${w1} again"}) for n in (1, 2, 3)]
    task = submit(place, [*steps, assign(4, final_answer="${w3}")])
    thread = threading.Thread(target=run, args=(place, task))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while told(place, task, "status", "steps") != ("running", 1):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        GATE.set()
        thread.join()
    assert told(place, task, "status", "steps", "planned_steps") == ("completed", 4, 4)


def test_a_step_costs_no_note_of_its_own(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[Progress] = []
    monkeypatch.setattr(
        place.tasks,
        "note_progress",
        lambda task_id, branch, newest, now_ms: noted.append(newest),
        raising=True,
    )
    calls = [call(n, "pass_gate", "w", {"word": "first"}) for n in range(1, 40)]
    task = submit(place, [*calls, assign(40, final_answer="${w}")])
    started = time.monotonic()
    run(place, task)
    assert len(noted) <= time.monotonic() - started
    assert told(place, task, "steps") == (40,)


def test_the_cost_is_told_where_it_is_known(scripted: Script) -> None:
    plan = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "x"}}]
    priced = scripted(reply("plan", plan), prices={"scripted": {"input": 1.0, "output": 2.0}})
    task = submit_task(priced, NewTask(goal="find the answer"))
    assert told(priced, task, "planned_steps", "cost") == (None, 0.0)
    run(priced, task)
    steps, planned, cost = told(priced, task, "steps", "planned_steps", "cost")
    assert (steps, planned) == (1, 1)
    assert cost == json.loads(find_task(priced, task.id).usage or "")["cost"]
    assert cost > 0


def test_a_cost_that_nobody_knows_is_null(scripted: Script) -> None:
    plan = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "x"}}]
    place = scripted(reply("plan", plan, tokens=None))
    task = submit_task(place, NewTask(goal="find the answer"))
    run(place, task)
    assert told(place, task, "cost") == (None,)


def test_the_numbers_are_of_the_current_branch(place: Workplace) -> None:
    task = submit(place, LOOP)
    run(place, task)
    edited = set_variables(place, find_task(place, task.id), {"n": 3}, at="main~8")
    assert told(place, task, "branch", "steps", "branches") == (edited.branch, 2, 2)
    fork_branch(place, find_task(place, task.id), "main~1", "beside")
    assert told(place, task, "branch", "steps", "branches") == (edited.branch, 2, 3)
    delete_branch(place, find_task(place, task.id), edited.branch)
    assert told(place, task, "branch", "steps", "planned_steps", "branches") == ("main", 10, 4, 2)


def test_what_is_imported_has_them_from_its_history(place: Workplace, tmp_path: Path) -> None:
    task = submit(place, [call(1, "pass_gate", "final_answer", {"word": "first"})])
    run(place, task)
    fork_branch(place, find_task(place, task.id), "main~1", "beside")
    before = told(place, task, "steps", "planned_steps", "worked_ms", "cost", "branches")
    export_task(place, find_task(place, task.id), tmp_path / "task.bundle")
    there, database = make_workplace(tmp_path / "there")
    import_task(there, tmp_path / "task.bundle")
    assert told(there, task, "steps", "planned_steps", "worked_ms", "cost", "branches") == before
    database.close()
