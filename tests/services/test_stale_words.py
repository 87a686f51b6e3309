"""What a task's row says: the truth, whoever was killed or stalled before saying it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from place import make_workplace
from plans import assign, call

from app import crash_points
from app.db.base import TaskRow
from app.errors import BranchMoved
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.events import Event, StepCommitted
from app.vm.interrupts import Interrupts


class Died(BaseException):
    """Stands for the kernel's kill."""


@tool(effect="irreversible")
def send(to: str) -> str:
    """Sends."""
    return f"sent to {to}"


@tool(effect="read")
def ask() -> str:
    """Asks for a name."""
    return "Ada"


def die() -> None:
    raise Died


def submit(place: Workplace) -> TaskRow:
    steps = [
        call(1, "ask", "who"),
        call(2, "send", "sent", {"to": "${who}"}),
        assign(3, final_answer="${sent}"),
    ]
    return submit_task(place, NewTask("test", json.dumps(steps)))


def run(place: Workplace, task: TaskRow, **options: object) -> RunReport:
    row = find_task(place, task.id)
    return run_branch(place, row, "main", RunOptions(Interrupts(), **options))  # type: ignore[arg-type]


def test_a_run_whose_end_nobody_noted_is_noted_by_who_asks_for_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, database = make_workplace(tmp_path, [ask, send])
    task = submit(place)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setitem(crash_points.armed, "run.over", die)
        run(place, task)
    assert place.tasks.get(task.id).status == "running"
    report = run(place, task)
    row = find_task(place, task.id)
    assert (row.status, row.steps) == (report.status, report.steps) == ("completed", 3)
    database.close()


def test_a_worker_that_lost_its_branch_says_so_and_not_that_the_run_waits(tmp_path: Path) -> None:
    place, database = make_workplace(tmp_path, [ask, send])
    task = submit(place)
    others: list[RunReport] = []

    def stalled(event: Event) -> None:
        """After the first step another worker takes over and goes on to the end."""
        if isinstance(event, StepCommitted) and not others:
            holder = place.leases.holder(task.id, "main")
            assert holder is not None
            fence = place.leases.acquire(task.id, "main", "another", 30, dead=holder[0])
            place.leases.release(task.id, "main", fence)
            others.append(run(place, task))

    with pytest.raises(BranchMoved):
        run(place, task, listener=stalled)
    assert others[0].final_answer == "sent to Ada"
    assert find_task(place, task.id).status == "completed"
    database.close()
