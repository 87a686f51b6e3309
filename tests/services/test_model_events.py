"""What a run's listener is told of the models: tokens and retries with their place, and what all that costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace

from app.services.runs import RunOptions, RunReport, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.tools.llm import llm_generate
from app.vm.events import Event, ModelRetried, PlanChecked, StepCommitted, TokenSaid, UsageGrew
from app.vm.interrupts import Interrupts

LIMITED = {"error": {"kind": "rate_limit", "message": "slow down", "retry_after": 0.01}}
GENERATE = {"tool_name": "llm_generate", "tool_params": {"prompt": "Greet"}, "output_vars": "final_answer"}


def plan(*steps: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"seq_no": number, "type": kind, "parameters": parameters}
        for number, (kind, parameters) in enumerate(steps, 1)
    ]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Any]:
    """Makes a workplace whose model says the given replies."""
    databases = []

    def make(*replies: dict[str, Any]) -> Workplace:
        (tmp_path / "replies.yaml").write_text(json.dumps(list(replies)))
        place, database = make_workplace(
            tmp_path, [llm_generate], llm_provider="scripted", scripted_replies=tmp_path / "replies.yaml"
        )
        databases.append(database)
        return place

    yield make
    for database in databases:
        database.close()


def watched(place: Workplace, steps: list[dict[str, Any]] | None = None) -> tuple[list[Event], RunReport]:
    events: list[Event] = []
    task = submit_task(place, NewTask("greet", json.dumps(steps) if steps else None))
    report = run_branch(place, task, "main", RunOptions(Interrupts(), events.append))
    return events, report


def of_kind(events: list[Event], *kinds: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def test_a_retry_in_planning_has_no_place(scripted: Any) -> None:
    place = scripted(LIMITED, {"reply": json.dumps(plan(("assign", {"final_answer": 1})))})
    events, _ = watched(place)
    (retry,) = of_kind(events, ModelRetried)
    assert retry == ModelRetried(None, None, "rate_limit", "slow down", 0.01)
    assert events.index(retry) < events.index(of_kind(events, TokenSaid)[0])


def test_a_retry_in_a_step_names_it_and_its_item(scripted: Any) -> None:
    fan = {**GENERATE, "for_each": ["a", "b"], "tool_params": {"prompt": "Say ${item}"}}
    replies = [
        {"match": "Say a", "reply": "A!"},
        {"match": "Say b", **LIMITED},
        {"match": "Say b", "reply": "B!"},
    ]
    events, report = watched(scripted(*replies), plan(("calling", fan)))
    assert report.final_answer == ["A!", "B!"]
    assert [(each.seq_no, each.item) for each in of_kind(events, ModelRetried)] == [(1, 1)]
    said = {(each.seq_no, each.item, each.token) for each in of_kind(events, TokenSaid)}
    assert said == {(1, 0, "A!"), (1, 1, "B!")}


@pytest.mark.parametrize(
    ("steps", "replies"),
    [
        (
            plan(("calling", {**GENERATE, "output_vars": ["a", "b"]}), ("assign", {"final_answer": "${a}"})),
            ({"reply": '{"a": 1}'}, {"reply": '{"a": 1, "b": 2}'}),
        ),
        (
            plan(
                ("jmp", {"condition_prompt": "So?", "jump_if_true": 2, "jump_if_false": 2}),
                ("assign", {"final_answer": 1}),
            ),
            ({"reply": "maybe"}, {"reply": '{"result": true, "explanation": "so"}'}),
        ),
    ],
    ids=["texts", "judgement"],
)
def test_an_answer_of_no_use_is_told_as_a_retry(scripted: Any, steps: Any, replies: Any) -> None:
    events, report = watched(scripted(*replies), steps)
    assert report.status == "completed"
    (retry,) = of_kind(events, ModelRetried)
    assert (retry.seq_no, retry.kind, retry.wait_seconds) == (1, "garbage", 0)
    assert "can't be used" in retry.message


def test_the_usage_grows_with_every_round_and_every_step_that_asks(scripted: Any) -> None:
    broken = plan(("assign", {"final_answer": "${missing}"}))
    clean = plan(("assign", {"a": 1}), ("calling", GENERATE))
    usage = {"usage": {"input": 100, "output": 10}}
    replies = [{"purpose": "plan", "reply": json.dumps(each), **usage} for each in (broken, clean)]
    events, report = watched(scripted(*replies, {"purpose": "generate", "reply": "hello", **usage}))
    told = of_kind(events, PlanChecked, StepCommitted, UsageGrew)
    assert [type(each).__name__ for each in told] == [
        "PlanChecked", "UsageGrew", "PlanChecked", "UsageGrew", "StepCommitted", "StepCommitted", "UsageGrew",
    ]  # fmt: skip
    grown = of_kind(events, UsageGrew)
    assert [each.usage["model_calls"] for each in grown] == [1, 2, 3]
    assert grown[-1].usage == report.usage == {
        "model_calls": 3, "input_tokens": 300, "output_tokens": 30, "cost": None,
    }  # fmt: skip


def test_the_plan_that_will_run_is_told_before_it_runs(scripted: Any) -> None:
    broken = plan(("assign", {"final_answer": "${missing}"}))
    clean = plan(("assign", {"final_answer": 1}))
    events, _ = watched(scripted(*({"reply": json.dumps(each)} for each in ("no plan", broken, clean))))
    nothing, with_errors, will_run = of_kind(events, PlanChecked)
    assert (nothing.plan, nothing.clean_plan) == (None, None)
    assert with_errors.plan is not None
    assert with_errors.clean_plan is None
    assert will_run.clean_plan.to_json()["steps"] == clean
