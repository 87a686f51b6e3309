"""What models used: summed exactly, unknown where it is not known, and bounded before each call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from command_line import assign, call
from model_servers import ModelServer, cost, model_calls

PRICE = ("0.3", "1.1")
"""Of a million tokens in and out. Sums of such numbers come out wrong in binary."""

USED = [(1103, 97), (1559, 103), (41, 7), (53, 11), (67, 13)]
"""Tokens in and out of each call, as the server tells them."""


def condition(prompt: str, if_true: int, if_false: int) -> dict[str, Any]:
    parameters = {"condition_prompt": prompt, "jump_if_true": if_true, "jump_if_false": if_false}
    return {"type": "jmp", "parameters": parameters}


WRITE = call("llm_generate", "text", prompt="Write")
RATE = call("llm_generate", ["stars", "reason"], prompt="Rate ${text}")
STEPS = [
    condition("Is it so?", 3, 2),
    assign(final_answer="no"),
    WRITE,
    RATE,
    assign(final_answer="${stars}"),
]


def run(models: ModelServer, used: list[tuple[int, int] | None], **expected: Any) -> dict[str, Any]:
    """Five calls: a faulty plan, a clean one, a condition, a text, two values; the server tells what it used."""
    models.plans(assign(final_answer="${missing}"), usage=used[0])
    models.plans(*STEPS, usage=used[1], match="P005")
    yes = json.dumps({"result": True, "explanation": "so"})
    models.server.on("judge").says(yes, usage=used[2])
    models.server.on("generate", match="Write").says("A text.", usage=used[3])
    rating = json.dumps({"stars": 4, "reason": "short"})
    models.server.on("generate", match="Rate").says(rating, usage=used[4])
    return models.execute(**expected)


def test_usage_is_the_sum_of_what_the_server_told(models: ModelServer) -> None:
    models.prices(**{models.model: PRICE})
    report = run(models, [*USED])
    expected = {
        "model_calls": 5,
        "input_tokens": sum(into for into, _ in USED),
        "output_tokens": sum(out for _, out in USED),
        "cost": cost((USED, PRICE)),
    }
    assert report["usage"] == expected
    assert models.cli.json("show", report["task_id"])["usage"] == expected


def test_every_call_is_in_the_record_of_what_made_it(models: ModelServer) -> None:
    models.prices(**{models.model: PRICE})
    report = run(models, [*USED])
    records = models.records(report["task_id"])
    made = [[call["purpose"] for call in record.get("model_calls", ())] for record in records]
    assert made == [[], ["plan", "plan"], ["judge"], ["generate"], ["generate"], []]
    for each, used in zip(model_calls(records), USED, strict=True):
        assert (each["input_tokens"], each["output_tokens"]) == used
        assert each["cost"] == cost(([used], PRICE))
        assert (each["provider"], each["model"], each["attempts"]) == (models.provider, models.model, 1)
        assert each["prompt_hash"]


def test_each_commit_adds_up_to_what_was_used_until_then(models: ModelServer) -> None:
    models.prices(**{models.model: PRICE})
    report = run(models, [*USED])
    commits = [entry["commit"] for entry in models.cli.json("log", report["task_id"])][::-1]
    shown = [models.cli.json("show", report["task_id"], "--at", commit)["usage"] for commit in commits]
    so_far = [0, 2, 3, 4, 5, 5]
    assert [usage["model_calls"] for usage in shown] == so_far
    assert [usage["input_tokens"] for usage in shown] == [sum(into for into, _ in USED[:n]) for n in so_far]
    assert [usage["cost"] for usage in shown] == [cost((USED[:n], PRICE)) for n in so_far]


def test_a_person_is_told_too(models: ModelServer) -> None:
    models.prices(**{models.model: PRICE})
    report = run(models, [*USED])
    assert "5 model calls, 2,823 tokens in, 231 out, cost 0.0011" in models.cli.ok("show", report["task_id"])


def test_without_a_price_the_cost_is_unknown(models: ModelServer) -> None:
    models.prices(other=PRICE)
    report = run(models, [*USED])
    assert report["usage"]["cost"] is None
    assert report["usage"]["output_tokens"] == sum(out for _, out in USED)
    assert {call["cost"] for call in model_calls(models.records(report["task_id"]))} == {None}


def test_each_model_has_its_own_price(models: ModelServer) -> None:
    thinker = f"{models.model}-thinker"
    models.configure(REASON_LLM_MODEL=thinker)
    models.prices(**{models.model: PRICE, thinker: ("3", "15.5")})
    report = run(models, [*USED])
    made = [each["cost"] for each in model_calls(models.records(report["task_id"]))]
    planning, others = (USED[:2], ("3", "15.5")), (USED[2:], PRICE)
    assert made == [cost(([used], price)) for group, price in (planning, others) for used in group]
    assert report["usage"]["cost"] == cost(planning, others)


def test_what_a_server_does_not_count_is_unknown_and_never_nothing(models: ModelServer) -> None:
    models.prices(**{models.model: PRICE})
    report = run(models, [None] * 5)
    unknown = {"model_calls": 5, "input_tokens": None, "output_tokens": None, "cost": None}
    assert report["usage"] == unknown
    assert models.cli.json("show", report["task_id"])["usage"] == unknown
    for each in model_calls(models.records(report["task_id"])):
        assert (each["input_tokens"], each["output_tokens"], each["cost"]) == (None, None, None)
    assert "5 model calls, tokens unknown, cost unknown" in models.cli.ok("show", report["task_id"])


def test_one_call_that_was_not_counted_makes_the_sum_unknown(models: ModelServer) -> None:
    report = run(models, [*USED[:2], None, *USED[3:]])
    assert report["usage"] == {"model_calls": 5, "input_tokens": None, "output_tokens": None, "cost": None}
    made = [each["input_tokens"] for each in model_calls(models.records(report["task_id"]))]
    assert made == [1103, 1559, None, 53, 67]


LIMITS: dict[str, tuple[str, Callable[[int], object]]] = {
    "calls": ("MAX_MODEL_CALLS", lambda calls: calls),
    "input": ("MAX_INPUT_TOKENS", lambda calls: sum(into for into, _ in USED[:calls])),
    "output": ("MAX_OUTPUT_TOKENS", lambda calls: sum(out for _, out in USED[:calls])),
    "cost": ("MAX_COST", lambda calls: cost((USED[:calls], PRICE))),
}
"""Setting, and its value that just so many calls use up."""


@pytest.mark.parametrize("calls", [3, 4])
@pytest.mark.parametrize("limit", LIMITS)
def test_the_server_sees_no_request_beyond_a_limit(models: ModelServer, limit: str, calls: int) -> None:
    setting, value = LIMITS[limit]
    models.prices(**{models.model: PRICE})
    models.configure(**{setting: value(calls)})
    report = run(models, [*USED], code=1)
    assert len(models.asked) == calls
    assert report["status"] == "failed"
    assert "limit reached" in report["error"]["message"]
    assert report["usage"]["model_calls"] == calls
    assert models.cli.json("replay", report["task_id"])["identical"] is True


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_ends_planning_too(models: ModelServer, limit: str) -> None:
    setting, value = LIMITS[limit]
    models.prices(**{models.model: PRICE})
    models.configure(**{setting: value(1)})
    report = run(models, [*USED], code=1)
    assert "limit reached" in report["error"]["message"]
    assert setting in report["error"]["hint"]
    assert [asked.purpose for asked in models.asked] == ["plan"]


def test_a_run_may_use_just_what_it_needs(models: ModelServer) -> None:
    models.prices(**{models.model: PRICE})
    models.configure(MAX_MODEL_CALLS=5, MAX_COST=cost((USED, PRICE)) + 1e-9)
    assert run(models, [*USED])["final_answer"] == 4


def test_a_limit_that_is_reached_stands_until_it_is_raised(models: ModelServer) -> None:
    models.configure(MAX_MODEL_CALLS=4)
    task = run(models, [*USED], code=1)["task_id"]
    again = models.cli.json("resume", task, code=1)
    assert "limit reached" in again["error"]["message"]
    assert len(models.asked) == 4
    models.configure(MAX_MODEL_CALLS=5)
    report = models.cli.json("resume", task)
    assert report["final_answer"] == 4
    assert report["usage"]["model_calls"] == 5
    assert models.cli.json("replay", task)["identical"] is True


@pytest.mark.parametrize("setting", ["MAX_INPUT_TOKENS", "MAX_OUTPUT_TOKENS"])
def test_what_is_not_counted_is_estimated_for_the_limits(models: ModelServer, setting: str) -> None:
    # Planning alone is beyond the limit, whoever counts; what follows it must not begin anew at zero.
    models.configure(**{setting: 30})
    models.plans(WRITE, assign(final_answer="${text}"), usage=None)
    report = models.execute(code=1)
    assert "limit reached" in report["error"]["message"]
    assert [asked.purpose for asked in models.asked] == ["plan"]
    assert report["usage"]["input_tokens"] is None


def test_a_cost_limit_wants_a_price(models: ModelServer) -> None:
    models.configure(MAX_COST=1)
    report = models.execute(code=1)
    assert "has no price" in report["error"]["message"]
    assert "MODEL_PRICES" in report["error"]["hint"]
    assert models.asked == []
