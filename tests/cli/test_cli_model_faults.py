"""Servers and models that misbehave: what is tried again, what goes back to the model, what ends the run and how."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from command_line import assign, call
from fake_server import Answer
from model_servers import KEY, ModelServer, document, model_calls

WRITE = call("llm_generate", "final_answer", prompt="Write")
PLAN = document(assign(final_answer="planned"))


def planned(models: ModelServer, **options: Any) -> dict[str, Any]:
    """The record of the plan of a run that got one and completed."""
    report = models.execute(**options)
    assert report["final_answer"] == "planned"
    assert models.cli.json("replay", report["task_id"])["identical"] is True
    record = models.records(report["task_id"])[1]
    assert record["kind"] == "plan"
    return record


class TestTriedAgain:
    """Faults that pass: the run completes, and the record says how often it took."""

    def test_a_rate_limit_is_waited_out_as_long_as_the_server_says(self, models: ModelServer) -> None:
        models.server.refuses(429, "slow down", headers={"retry-after": "0.7"})
        models.server.says(json.dumps(PLAN))
        (made,) = planned(models)["model_calls"]
        assert made["attempts"] == 2
        first, second = models.asked
        assert second.at - first.at >= 0.7

    def test_a_server_that_is_overloaded_is_asked_again(self, models: ModelServer) -> None:
        models.server.refuses(503, "overloaded")
        models.server.says(json.dumps(PLAN))
        assert planned(models)["model_calls"][0]["attempts"] == 2

    def test_a_silent_server_is_asked_again(self, models: ModelServer) -> None:
        models.configure(LLM_TIMEOUT=1.5)
        models.server.put(Answer(wait=15))
        models.server.says(json.dumps(PLAN))
        assert planned(models)["model_calls"][0]["attempts"] == 2

    @pytest.mark.parametrize("how", ["breaks_off", "ends_early", "fails_within"])
    def test_a_stream_that_is_cut_off_is_begun_anew(self, models: ModelServer, how: str) -> None:
        models.plans(WRITE)
        broken = models.server.on("generate")
        broken.fails_within("the GPU is gone") if how == "fails_within" else getattr(broken, how)()
        models.server.on("generate").says("A whole text.", usage=(8, 4))
        result = models.cli.run("execute", "--goal", "Write")
        assert result.stdout == "A whole text.\n"
        (task,) = models.cli.json("tasks")
        (made,) = list(model_calls(models.records(task["task_id"])[2:]))
        assert (made["attempts"], made["input_tokens"], made["output_tokens"]) == (2, 8, 4)

    def test_a_slow_stream_is_no_silent_one(self, models: ModelServer) -> None:
        models.configure(LLM_TIMEOUT=2)
        models.plans(WRITE)
        models.server.on("generate").drips(0.75)
        assert models.cli.run("execute", "--goal", "Write").stdout == "slowly\n"


class TestLackingModes:
    """Servers without the newer ways to ask for JSON; llama-cpp-python's answers 500 to a schema."""

    NO_SCHEMA = (500, "Internal Server Error")
    NO_JSON = (400, "response_format type must be one of: text")

    def test_without_the_schema_mode_it_is_the_json_mode(self, models: ModelServer) -> None:
        models.server.lacks = {"json_schema": self.NO_SCHEMA}
        models.server.says(json.dumps(PLAN))
        (made,) = planned(models)["model_calls"]
        assert (made["structured"], made["attempts"]) == ("json_object", 2)
        assert [models.server.mode_of(asked) for asked in models.asked] == ["json_schema", "json_object"]
        assert "valid under this JSON schema" in models.asked[1].last

    def test_without_either_it_is_asked_for_in_words(self, models: ModelServer) -> None:
        models.server.lacks = {"json_schema": self.NO_SCHEMA, "json_object": self.NO_JSON}
        models.server.says("Here is the plan:\n```json\n" + json.dumps(PLAN) + "\n```")
        (made,) = planned(models)["model_calls"]
        assert (made["structured"], made["attempts"]) == ("text", 3)
        assert made["repairs"] == ["code fence", "surrounding text"]

    def test_what_a_server_lacks_is_asked_for_once(self, models: ModelServer) -> None:
        models.server.lacks = {"json_schema": self.NO_SCHEMA}
        models.plans(assign(final_answer="${missing}"))
        models.plans(
            call("llm_generate", ["a", "b"], prompt="Write"), assign(final_answer="${a}"), match="P005"
        )
        models.server.on("generate").says('{"a": "planned", "b": 1}')
        report = models.execute()
        assert report["final_answer"] == "planned"
        modes = [models.server.mode_of(asked) for asked in models.asked]
        assert modes == ["json_schema", "json_object", "json_object", "json_object"]
        made = model_calls(models.records(report["task_id"]))
        assert [each["attempts"] for each in made] == [2, 1, 1]


AROUND: dict[str, tuple[str, list[str]]] = {
    "prose": ("Sure! Here is the plan: {plan} I hope this helps.", ["surrounding text"]),
    "a fence": ("```json\n{plan}\n```", ["code fence"]),
    "thinking": ("<think>Steps? [1, 2] maybe.</think>\n{plan}", ["thinking"]),
    "an answer tag": ("Let me see. <answer>{plan}</answer>", ["surrounding text"]),
    "encoded twice": ("{text}", ["JSON inside a text"]),
}
"""How a reply wraps its plan, and what the record says was repaired."""


@pytest.mark.parametrize("wrapping", AROUND)
def test_what_stands_around_the_json_is_passed_over(models: ModelServer, wrapping: str) -> None:
    template, repairs = AROUND[wrapping]
    plan = json.dumps(PLAN)
    models.server.on("plan").says(template.replace("{plan}", plan).replace("{text}", json.dumps(plan)))
    record = planned(models)
    assert record["model_calls"][0]["repairs"] == repairs
    assert len(record["rounds"]) == len(models.asked) == 1


def tool_call(models: ModelServer) -> dict[str, Any]:
    """A reply that calls a tool nobody offered, as each protocol has it."""
    arguments = PLAN if models.provider == "ollama" else json.dumps(PLAN)
    function = {"name": "submit_plan", "arguments": arguments}
    return {"tool_calls": [{"id": "1", "index": 0, "type": "function", "function": function}]}


GARBAGE: dict[str, Callable[[ModelServer], dict[str, Any]]] = {
    "prose alone": lambda models: {"text": "I'm sorry, I can't plan that."},
    "a tool call": lambda models: {"text": None, "reason": "tool_calls", **tool_call(models)},
    "a tool call in words": lambda models: {
        "text": json.dumps({"name": "submit_plan", "arguments": json.dumps(PLAN)})
    },
    "nothing": lambda models: {"text": ""},
    "half a plan": lambda models: {"text": json.dumps(PLAN)[:60], "reason": "length"},
    "two plans": lambda models: {"text": f"{json.dumps(PLAN)} or {json.dumps(document(WRITE))}"},
    "something else": lambda models: {"text": '{"final_answer": "planned"}'},
    "steps that are none": lambda models: {"text": '{"steps": ["read", "answer"]}'},
}
"""Replies that hold no plan."""


@pytest.mark.parametrize("reply", GARBAGE)
def test_a_reply_without_a_plan_goes_back(models: ModelServer, reply: str) -> None:
    fields = GARBAGE[reply](models)
    models.server.on("plan").says(fields.pop("text"), **fields)
    models.server.on("plan", match="P001").says(json.dumps(PLAN))
    record = planned(models)
    assert {finding["code"] for finding in record["rounds"][0]["findings"]} == {"P001"}
    assert len(models.asked) == len(record["model_calls"]) == 2


JUDGE = {
    "type": "jmp",
    "parameters": {"condition_prompt": "Is it so?", "jump_if_true": 2, "jump_if_false": 3},
}


class TestAnswersOfSteps:
    """What steps ask is asked once more where the answer has not the form."""

    @pytest.mark.parametrize(
        "answer", ["yes", '{"result": "true", "explanation": "so"}', '{"result": true}', "null", ""]
    )
    def test_a_judgement_that_is_none_is_asked_for_again(self, models: ModelServer, answer: str) -> None:
        models.plans(JUDGE, assign(final_answer="planned"), assign(final_answer="no"))
        models.server.on("judge").says(answer, usage=(5, 5))
        good = 'Well: {"result": true, "explanation": "so"}'
        models.server.on("judge", match="can't be used").says(good, usage=(6, 6))
        report = models.execute()
        assert report["final_answer"] == "planned"
        assert report["usage"] == {"model_calls": 3, "input_tokens": 111, "output_tokens": 21, "cost": None}

    def test_a_judgement_that_stays_none_fails_the_step(self, models: ModelServer) -> None:
        models.plans(JUDGE, assign(final_answer="yes"), assign(final_answer="no"))
        for _ in range(2):
            models.server.on("judge").says("maybe", usage=(5, 5))
        report = models.execute(code=1)
        assert report["error"]["step"] == 1
        assert "the model's answer can't be used" in report["error"]["message"]
        assert report["usage"]["model_calls"] == 3
        assert report["usage"]["input_tokens"] == 110

    @pytest.mark.parametrize("answer", ['{"a": 1}', '{"a": 1, "b": 2, "c": 3}', "a and b", "[1, 2]"])
    def test_outputs_with_other_keys_are_asked_for_again(self, models: ModelServer, answer: str) -> None:
        models.plans(call("llm_generate", ["a", "b"], prompt="Write"), assign(final_answer="${b}"))
        models.server.on("generate").says(answer)
        models.server.on("generate", match="can't be used").says('{"b": "planned", "a": null}')
        report = models.execute()
        assert report["final_answer"] == "planned"
        assert report["usage"]["model_calls"] == 3

    def test_the_plan_may_go_on_without_a_text(self, models: ModelServer) -> None:
        models.plans(
            call("llm_generate", "text", on={"on_error": "continue"}, prompt="Write"),
            assign(final_answer=["${text}", "${error.message}"]),
        )
        models.server.on("generate").refuses(400, "no such language")
        report = models.execute()
        assert report["final_answer"][0] is None
        assert "no such language" in report["final_answer"][1]
        assert report["usage"] == {
            "model_calls": 2,
            "input_tokens": None,
            "output_tokens": None,
            "cost": None,
        }
        assert models.cli.json("replay", report["task_id"])["identical"] is True


REFUSED: dict[str, tuple[int, str, str]] = {
    "a wrong key": (401, f"Incorrect API key provided: {KEY}", "did not accept the API key"),
    "an absent model": (404, "model 'm' not found", "has no model"),
    "a prompt too long": (400, "maximum context length is 8192 tokens", "too long for model"),
    "another refusal": (400, "temperature must be below 2", "temperature must be below 2"),
}
"""Status and words of the server, and what the person reads."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_ends_planning_at_once_and_resume_goes_on(models: ModelServer, name: str) -> None:
    status, said, told = REFUSED[name]
    models.server.refuses(status, said)
    result = models.cli.run("execute", "--goal", "g")
    assert result.exit_code == 1
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert told in errors[0]
    assert KEY not in result.output
    (task,) = models.cli.json("tasks")
    assert task["status"] == "failed"
    assert len(models.asked) == 1
    models.server.says(json.dumps(PLAN))
    assert models.cli.json("resume", task["task_id"])["final_answer"] == "planned"
    records = models.records(task["task_id"])
    assert [record["kind"] for record in records] == ["goal", "stop", "plan", "step"]
    assert KEY not in json.dumps(records)
    assert models.cli.json("replay", task["task_id"])["identical"] is True


def test_another_protocol_is_named(models: ModelServer) -> None:
    welcome = Answer(pieces=["<html>Welcome to the proxy</html>"], headers={"content-type": "text/html"})
    models.server.put_all([welcome] * 5)
    error = models.execute(code=1)["error"]
    assert "does not speak" in error["message"]
    assert "_BASE_URL" in error["hint"]


def test_a_rate_limit_of_an_hour_is_not_waited_for(models: ModelServer) -> None:
    models.server.refuses(429, "quota", headers={"retry-after": "3600"})
    assert "limits the rate" in models.execute(code=1)["error"]["message"]
    assert len(models.asked) == 1


def test_ctrl_c_twice_is_heard_while_a_model_is_silent(models: ModelServer) -> None:
    models.server.put(Answer(wait=60))
    process = models.cli.start("execute", "--goal", "g")
    give_up = time.monotonic() + 30
    while not models.asked and time.monotonic() < give_up:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"goes on" in stderr
    (task,) = models.cli.json("tasks")
    models.server.says(json.dumps(PLAN))
    assert models.cli.json("resume", task["task_id"])["final_answer"] == "planned"
    assert models.cli.json("replay", task["task_id"])["identical"] is True


def test_plans_that_stay_wrong_end_planning_and_are_kept(models: ModelServer) -> None:
    for _ in range(3):
        models.plans(assign(final_answer="${missing}"))
    report = models.execute(code=4)
    assert {finding["code"] for finding in report["error"]["findings"]} == {"P005"}
    (task,) = models.cli.json("tasks")
    stop = models.records(task["task_id"])[-1]
    assert [each["findings"][0]["code"] for each in stop["rounds"]] == ["P005"] * 3
    models.server.says(json.dumps(PLAN), usage=(1, 1))
    report = models.cli.json("resume", task["task_id"])
    assert report["final_answer"] == "planned"
    assert report["usage"]["input_tokens"] == 301


def test_a_step_that_failed_is_asked_again_and_nothing_else(models: ModelServer) -> None:
    models.plans(call("llm_generate", "text", prompt="First"), WRITE)
    models.server.on("generate", match="First").says("Once.")
    models.server.on("generate", match="Write").refuses(401, "no")
    task = models.execute(code=1)["task_id"]
    models.server.on("generate", match="Write").says("Written.")
    assert models.cli.json("resume", task)["final_answer"] == "Written."
    assert [asked.purpose for asked in models.asked] == ["plan", "generate", "generate", "generate"]
    assert models.cli.json("replay", task)["identical"] is True


def test_what_was_used_before_an_uncounted_failure_still_counts(models: ModelServer) -> None:
    models.configure(MAX_INPUT_TOKENS=150)
    models.plans(call("llm_generate", "text", prompt="First"), WRITE)
    models.server.on("generate", match="First").refuses(401, "no")
    task = models.execute("Praise", "--parallel", "1", code=1)["task_id"]
    models.server.on("generate", match="First").says("Once.", usage=(60, 1))
    report = models.cli.json("resume", task, "--parallel", "1", code=1)
    assert report["usage"]["input_tokens"] is None
    assert "limit reached: input_tokens: 160 of 150 used" in report["error"]["message"]
