"""Exports that were cut off, changed or crafted: each is refused with one clear error, and nothing is kept."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exported import Craft, crafted
from place import make_workplace

from app.db.base import FinishedEffect
from app.errors import InputError, NotFound
from app.history.base import Kind
from app.history.commits import commit_bytes
from app.services.branches import fork_branch
from app.services.carried import TASK_REF
from app.services.exports import export_task
from app.services.imports import import_task
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, list_tasks, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts

OUTCOME = {"value": 1, "error": None, "attempts": 1, "started_ms": 1, "ended_ms": 2, "reads": True}


@tool(effect="write")
def write(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A task with two branches, an attempt and a kept outcome."""
    folder = tmp_path_factory.mktemp("here")
    place, database = make_workplace(folder, [write])
    steps = [
        {"seq_no": 1, "type": "calling", "parameters": {"tool_name": "write", "tool_params": {"value": [1] * 9}}},
        {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "done", "long": ["x" * 100] * 400}},
    ]
    task = submit_task(place, NewTask(goal="a goal", plan=json.dumps(steps)))
    run_branch(place, task, "main", RunOptions(Interrupts()))
    fork_branch(place, task, "main~1", "other")
    kept = FinishedEffect(9, 1, -1, "a" * 64, json.dumps(OUTCOME).encode())
    place.ledger(task.id).save_effects("other", [kept])
    export_task(place, find_task(place, task.id), folder / "task.bundle")
    database.close()
    return (folder / "task.bundle").read_bytes()


@pytest.fixture
def file(exported: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "task.bundle"
    path.write_bytes(exported)
    return path


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Workplace]:
    place, database = make_workplace(tmp_path / "there", [write]) if (tmp_path / "there").mkdir() else (None, None)
    yield place
    database.close()


def refused(place: Workplace, path: Path) -> str:
    """What the error says; nothing is here then, in no store."""
    with pytest.raises(InputError) as caught:
        import_task(place, path)
    assert list_tasks(place, None, 5) == []
    for histories in place.stores.values():
        with pytest.raises(NotFound):
            histories.open("00000001-0000-4000-8000-000000000000")
    assert "\n" not in caught.value.message
    return str(caught.value)
