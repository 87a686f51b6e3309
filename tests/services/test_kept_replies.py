"""What a model said while a plan was written outlives the process: no round is paid for twice."""

from __future__ import annotations

from typing import Any

import pytest
from scripting import Script, records, reply

from app import crash_points
from app.db.base import TaskRow
from app.services.branches import list_branches
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.events import Event, PlanChecked
from app.vm.interrupts import Asked, Interrupts

CLEAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]
BROKEN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "${missing}"}}]
FAILING = [
    {"seq_no": 1, "type": "calling", "parameters": {"tool_name": "fails", "output_vars": "final_answer"}}
]


class Died(BaseException):
    """Stands for the kernel's kill."""


@tool(effect="read")
def fails() -> str:
    """Fails."""
    raise ValueError("no luck")


def die() -> None:
    raise Died


def run(place: Workplace, task: TaskRow, **options: Any) -> RunReport:
    row = find_task(place, task.id)
    options.setdefault("interrupts", Interrupts())
    return run_branch(place, row, row.current_branch, RunOptions(**options))


def dying_at(point: str, monkeypatch: pytest.MonkeyPatch, place: Workplace, task: TaskRow) -> None:
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setitem(crash_points.armed, point, die)
        run(place, task)


def test_a_plan_that_was_written_is_not_asked_for_again(
    scripted: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = scripted(reply("plan", BROKEN), reply("plan", CLEAN))  # a third question would have no reply
    task = submit_task(place, NewTask(goal="find the answer"))
    dying_at("plan.written", monkeypatch, place, task)
    report = run(place, task)
    assert report.final_answer == 42
    assert report.usage["model_calls"] == 2
    assert len(records(place, task)[1]["rounds"]) == 2
    assert place.ledger(task.id).branch_effects("main") == []
    assert replay_branch(place, task, None)[1].divergence is None


def test_a_pause_between_two_rounds_loses_none(scripted: Script) -> None:
    place = scripted(reply("plan", BROKEN), reply("plan", CLEAN))
    task = submit_task(place, NewTask(goal="find the answer"))
    interrupts = Interrupts()

    def listener(event: Event) -> None:
        if isinstance(event, PlanChecked):
            interrupts.ask(Asked("pause", "ann"))

    report = run(place, task, interrupts=interrupts, listener=listener)
    assert (report.status, report.steps) == ("paused", 0)
    assert find_task(place, task.id).status == "paused"
    assert run(place, task).usage["model_calls"] == 2


def test_a_cancellation_while_a_plan_is_written_is_a_commit(scripted: Script) -> None:
    place = scripted(reply("plan", BROKEN), reply("plan", CLEAN))
    task = submit_task(place, NewTask(goal="find the answer"))
    interrupts = Interrupts()
    listener = lambda event: interrupts.ask(Asked("cancel", "ann"))  # noqa: E731
    report = run(place, task, interrupts=interrupts, listener=listener)
    assert report.status == "cancelled"
    assert records(place, task)[-1]["message"] == "cancelled by ann"
    assert replay_branch(place, task, None)[1].divergence is None


def test_what_led_to_no_plan_is_asked_anew(scripted: Script) -> None:
    place = scripted(*[reply("plan", BROKEN)] * 3, reply("plan", CLEAN))
    task = submit_task(place, NewTask(goal="find the answer"))
    with pytest.raises(Exception, match="no clean plan"):
        run(place, task)
    assert place.ledger(task.id).branch_effects("main") == []
    assert run(place, task).final_answer == 42


@pytest.mark.parametrize("point", ["revision.committed", "run.over"])
def test_a_revision_nobody_knows_of_yet_is_gone_on_with(
    scripted: Script, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    place = scripted(reply("plan", FAILING), reply("revise", CLEAN), tools=[fails])
    task = submit_task(place, NewTask(goal="find the answer"))
    dying_at(point, monkeypatch, place, task)
    assert find_task(place, task.id).current_branch == "main"
    report = run(place, task)
    assert (report.branch, report.final_answer) == ("revision-1", 42)
    assert [each.branch for each in report.revisions] == ["revision-1"]
    assert {view.name: view.status for view in list_branches(place, find_task(place, task.id))} == {
        "main": "failed",
        "revision-1": "completed",
    }
    for branch in ("main", "revision-1"):
        assert replay_branch(place, task, branch)[1].divergence is None
