"""A goal becomes a plan: rounds, models in steps, what they cost, and what is kept when there is no plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from scripting import Script, records, reply

from app.db.base import TaskRow
from app.errors import ConfigurationError, ModelError, PlanNotClean
from app.llm.budget import Limits
from app.services.planning import plan_goal
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.workplace import Workplace
from app.vm.events import Event, PlanChecked, PlanningStarted
from app.vm.interrupts import Interrupts

CLEAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]
BROKEN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "${missing}"}}]


def submit(place: Workplace, **more: Any) -> TaskRow:
    return submit_task(place, NewTask(goal="find the answer", **more))


def run(place: Workplace, task: TaskRow, **options: Any) -> RunReport:
    return run_branch(place, task, "main", RunOptions(Interrupts(), **options))


def test_a_goal_alone_is_planned_run_and_answered(scripted: Script) -> None:
    place = scripted(reply("plan", {"version": 1, "reasoning": "easy", "steps": CLEAN}))
    task = submit(place)
    report = run(place, task)
    assert report.final_answer == 42
    assert report.usage == {"model_calls": 1, "input_tokens": 100, "output_tokens": 10, "cost": None}
    plan = records(place, task)[1]
    assert plan["kind"] == "plan"
    assert plan["reasoning"] == "easy"
    assert plan["prompt"]
    assert plan["prompt_hash"]
    assert replay_branch(place, task, None)[1].divergence is None


def test_findings_go_back_until_the_plan_is_clean(scripted: Script) -> None:
    place = scripted(reply("plan", BROKEN), reply("plan", CLEAN))
    task = submit(place)
    events: list[Event] = []
    report = run(place, task, listener=events.append)
    assert report.final_answer == 42
    assert report.usage["model_calls"] == 2
    assert isinstance(events[0], PlanningStarted)
    rounds = [event for event in events if isinstance(event, PlanChecked)]
    assert [[finding.code for finding in each.findings] for each in rounds] == [["P005"], []]
    kept = records(place, task)[1]["rounds"]
    assert kept[0]["findings"][0]["code"] == "P005"
    assert replay_branch(place, task, None)[1].divergence is None


def test_a_plan_that_stays_unclean_is_kept_with_its_rounds_and_can_be_tried_again(scripted: Script) -> None:
    place = scripted(*[reply("plan", BROKEN)] * 3, reply("plan", CLEAN))
    task = submit(place)
    with pytest.raises(PlanNotClean) as caught:
        run(place, task)
    assert {finding.code for finding in caught.value.findings} == {"P005"}
    stop = records(place, task)[-1]
    assert stop["kind"] == "stop"
    assert len(stop["rounds"]) == len(stop["model_calls"]) == 3
    report = run(place, task)
    assert report.final_answer == 42
    assert report.usage["model_calls"] == 4
    assert replay_branch(place, task, None)[1].divergence is None


def test_a_condition_and_a_text_by_a_model_are_steps_like_others(scripted: Script) -> None:
    plan = [
        {"seq_no": 1, "type": "jmp",
         "parameters": {"condition_prompt": "Is it so?", "jump_if_true": 2, "jump_if_false": 4}},
        {"seq_no": 2, "type": "calling",
         "parameters": {"tool_name": "llm_generate", "tool_params": {"prompt": "Say ${item}"},
                        "for_each": ["a", "b"], "output_vars": "said"}},
        {"seq_no": 3, "type": "assign", "parameters": {"final_answer": "${said}"}},
        {"seq_no": 4, "type": "assign", "parameters": {"final_answer": "no"}},
    ]  # fmt: skip
    place = scripted(
        reply("judge", {"result": True, "explanation": "because"}),
        {"purpose": "generate", "match": "Say a", "reply": "A!", "usage": {"input": 5, "output": 1}},
        {"purpose": "generate", "match": "Say b", "reply": "B!", "usage": {"input": 5, "output": 1}},
    )
    task = submit(place, plan=json.dumps(plan))
    report = run(place, task)
    assert report.final_answer == ["A!", "B!"]
    assert report.usage == {"model_calls": 3, "input_tokens": 110, "output_tokens": 12, "cost": None}
    judged = records(place, task)[2]
    assert judged["value"] == {"result": True, "explanation": "because"}
    assert judged["model_calls"][0]["purpose"] == "judge"
    assert replay_branch(place, task, None)[1].divergence is None


def test_several_outputs_are_asked_of_the_model_by_name(scripted: Script) -> None:
    plan = [
        {"seq_no": 1, "type": "calling",
         "parameters": {"tool_name": "llm_generate", "tool_params": {"prompt": "Greet"},
                        "output_vars": ["greeting", "mood"]}},
        {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "${greeting} ${mood}"}},
    ]  # fmt: skip
    # The first reply lacks a key: only who knows which are wanted asks again.
    place = scripted(
        reply("generate", {"greeting": "hi"}), reply("generate", {"greeting": "hello", "mood": "glad"})
    )
    report = run(place, submit(place, plan=json.dumps(plan)))
    assert report.final_answer == "hello glad"
    assert report.usage["model_calls"] == 2


def test_what_planning_used_counts_against_the_budget_of_the_steps(scripted: Script) -> None:
    plan = [
        {"seq_no": 1, "type": "calling",
         "parameters": {"tool_name": "llm_generate", "tool_params": {"prompt": "Greet"},
                        "output_vars": "final_answer"}},
    ]  # fmt: skip
    place = scripted(reply("plan", plan), reply("generate", "hi"), limits=Limits(model_calls=1))
    report = run(place, submit(place))
    assert report.status == "failed"
    assert report.error is not None
    assert "limit" in report.error["message"]


def test_costs_are_summed_exactly_where_prices_are_known(scripted: Script) -> None:
    place = scripted(
        reply("plan", BROKEN),
        reply("plan", CLEAN, (200, 20)),
        prices={"scripted": {"input": 1.0, "output": 10.0}},
    )
    report = run(place, submit(place))
    assert report.usage["cost"] == pytest.approx((300 * 1.0 + 30 * 10.0) / 1e6)


def test_unknown_tokens_are_null_never_zero(scripted: Script) -> None:
    place = scripted(reply("plan", CLEAN, tokens=None))
    usage = run(place, submit(place)).usage
    assert usage["model_calls"] == 1
    assert usage["input_tokens"] is None
    assert usage["output_tokens"] is None


def test_a_budget_is_kept_over_a_resume(scripted: Script) -> None:
    place = scripted(*[reply("plan", BROKEN)] * 9, limits=Limits(model_calls=4))
    task = submit(place)
    with pytest.raises(PlanNotClean):
        run(place, task)
    with pytest.raises(ModelError, match="limit"):
        run(place, task)
    assert sum(len(record.get("model_calls", ())) for record in records(place, task)) == 4


def test_an_error_of_the_model_is_a_stop_and_can_be_resumed(scripted: Script) -> None:
    place = scripted(
        {"purpose": "plan", "error": {"kind": "auth", "message": "wrong key"}}, reply("plan", CLEAN)
    )
    task = submit(place)
    with pytest.raises(ModelError, match="wrong key"):
        run(place, task)
    assert find_task(place, task.id).status == "failed"
    assert run(place, task).final_answer == 42


def test_without_a_model_planning_says_what_to_set(tmp_path: Path) -> None:
    place, database = make_workplace(tmp_path)
    with pytest.raises(ConfigurationError, match="no model is configured"):
        plan_goal(place, "a goal", None)
    database.close()


def test_what_stands_in_the_way_of_a_run_is_on_its_task(tmp_path: Path) -> None:
    place, database = make_workplace(tmp_path)
    task = submit(place)
    with pytest.raises(ConfigurationError):
        run(place, task)
    row = find_task(place, task.id)
    assert row.status == "paused"
    assert row.error is not None and "no model is configured" in row.error
    database.close()


def test_planning_alone_makes_no_task(scripted: Script) -> None:
    place = scripted(reply("plan", CLEAN))
    planned = plan_goal(place, "a goal", None)
    assert planned.plan.to_json()["steps"] == CLEAN
    assert not place.tasks.list()
