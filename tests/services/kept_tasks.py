"""A place with something in every table: runs that ended, a fork, a failed call, outcomes that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from place import make_workplace
from plans import assign, call

from app.db.base import FinishedEffect, NamespaceRow, TaskRow
from app.db.session import Database
from app.services.branches import fork_branch
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts

OUTCOME = json.dumps(
    {"value": "paid for", "error": None, "attempts": 1, "started_ms": 1, "ended_ms": 2}
).encode()


@tool(effect="read")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@tool(effect="write")
def put(value: Any) -> Any:
    """Gives back what it puts."""
    if value == "broken":
        raise RuntimeError("the line broke")
    return value


STEPS = [
    assign(1, a=1, rows=["row" * 100] * 200),
    call(2, "look", "b", {"value": {"k": list(range(9000))}}),
    call(3, "put", "c", {"value": "${a}"}),
    call(4, "put", "d", {"value": "${item}"}, for_each=[1, 2, 3]),
    assign(5, final_answer="done"),
]


def open_place(folder: Path, **settings: object) -> tuple[Workplace, Database]:
    return make_workplace(folder, [look, put], **settings)


def run(place: Workplace, task: TaskRow, branch: str = "main") -> str:
    return run_branch(place, task, branch, RunOptions(Interrupts())).status


def submit(place: Workplace, history: str, steps: Any = None, **more: Any) -> TaskRow:
    plan = json.dumps(STEPS if steps is None else steps)
    return submit_task(place, NewTask("a goal", plan, history=history, **more))


def fill(place: Workplace, history: str) -> TaskRow:
    """The task that completed; its fork ``try`` has outcomes that are kept. Another has failed, a third is queued."""
    place.namespaces.create(NamespaceRow("team", ("look", "put"), "ours", {"a": 1}, 5, 6))
    task = submit(place, history, namespace="team")
    assert run(place, task) == "completed"
    fork_branch(place, task, "main~2", "try")
    place.ledger(task.id).save_effects("try", [FinishedEffect(4, 1, 0, "ab" * 32, OUTCOME)])
    failing = submit(place, history, [call(1, "put", "final_answer", {"value": "broken"})])
    assert run(place, failing) == "failed"
    submit(place, history, [assign(1, final_answer=1)])
    return task
