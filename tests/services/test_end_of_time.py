"""The end of a run's time ends the models that are being asked, and commits nothing half-done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace

from app.db.base import TaskRow
from app.services.inspect import read_log
from app.services.replays import replay_branch
from app.services.runs import RunOptions, RunReport, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.tools import ToolContext, tool
from app.tools.llm import llm_generate
from app.vm.interrupts import Interrupts

GENERATE = {"tool_name": "llm_generate", "tool_params": {"prompt": "Say it"}, "output_vars": "said"}
FAN = {**GENERATE, "tool_params": {"prompt": "Say ${item}"}, "for_each": ["a", "b", "c"]}
JUDGE = {"condition_prompt": "Is it so?", "jump_if_true": 2, "jump_if_false": 2}
END = {"seq_no": 2, "type": "assign", "parameters": {"final_answer": 1}}
NEVER = {"reply": '{"result": true, "explanation": ""}', "delay": 20, "repeat": True}


@tool(effect="irreversible", timeout=30)
def send(context: ToolContext) -> str:
    """Wait until told to stop, and stop."""
    context.cancellation.wait(20)
    context.cancellation.raise_if_requested()
    return "sent"


@tool(effect="read", timeout=30)
def stubborn(context: ToolContext) -> str:
    """Answer when told to stop."""
    context.cancellation.wait(20)
    return "after all"


Saying = Callable[..., Workplace]


@pytest.fixture
def saying(tmp_path: Path) -> Iterator[Saying]:
    """Makes a workplace whose model says the given replies, and whose runs may take a second."""
    databases = []

    def make(*replies: dict[str, Any]) -> Workplace:
        script = tmp_path / "replies.yaml"
        script.write_text(json.dumps(list(replies)))
        place, database = make_workplace(
            tmp_path,
            [llm_generate, send, stubborn],
            max_seconds=1,
            llm_provider="scripted",
            scripted_replies=script,
        )
        databases.append(database)
        return place

    yield make
    for database in databases:
        database.close()


def submit(place: Workplace, step: str, parameters: dict[str, Any]) -> TaskRow:
    plan = json.dumps([{"seq_no": 1, "type": step, "parameters": parameters}, END])
    return submit_task(place, NewTask(goal="speak", plan=plan))


def run(place: Workplace, task: TaskRow) -> RunReport:
    started = time.monotonic()
    report = run_branch(place, task, "main", RunOptions(Interrupts()))
    assert time.monotonic() - started < 8
    return report


def kinds(place: Workplace, task: TaskRow) -> list[str]:
    return [entry.commit.kind for entry in read_log(place, task, None, with_records=False)][::-1]


@pytest.mark.parametrize(
    ("step", "parameters"),
    [("calling", GENERATE), ("calling", {**GENERATE, "timeout": 15}), ("calling", FAN), ("jmp", JUDGE)],
    ids=["text", "text with a timeout", "texts side by side", "judgement"],
)
def test_a_model_that_never_answers_is_left(saying: Saying, step: str, parameters: dict[str, Any]) -> None:
    place = saying(NEVER)
    task = submit(place, step, parameters)
    report = run(place, task)
    assert report.status == "failed"
    assert report.error is not None
    assert report.error["message"].startswith("limit reached: seconds: the run worked for 1 s")
    assert kinds(place, task) == ["goal", "plan", "stop"]
    assert replay_branch(place, task, None)[1].divergence is None


def test_answers_that_came_are_kept_for_the_next_time(saying: Saying) -> None:
    place = saying({"match": "Say a", "reply": "A!"}, NEVER)
    task = submit(place, "calling", FAN)
    assert run(place, task).status == "failed"
    place = saying(*({"match": f"Say {item}", "reply": item.upper()} for item in "bc"))
    report = run(place, task)
    assert report.status == "completed"
    assert report.usage["model_calls"] == 3


def test_what_ends_well_in_spite_of_it_is_committed(saying: Saying) -> None:
    place = saying(NEVER)
    task = submit(place, "calling", {"tool_name": "stubborn", "output_vars": "said"})
    assert run(place, task).status == "failed"
    assert kinds(place, task) == ["goal", "plan", "step", "stop"]


def test_a_call_that_must_not_be_repeated_waits_for_a_decision(saying: Saying) -> None:
    place = saying(NEVER)
    task = submit(place, "calling", {"tool_name": "send", "output_vars": "said"})
    report = run(place, task)
    assert report.status == "waiting"
    assert kinds(place, task) == ["goal", "plan"]
