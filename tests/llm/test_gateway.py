"""Retries, fallback of structured output, records and budgets, on a clock that only sleeping moves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from fake_openai import FakeOpenAI
from providers import Served, asking, judging

from app.errors import ModelError
from app.llm.base import CallFailed, ModelReply, ModelRequest, OnToken, Retry, UnusableReply, Watch
from app.llm.budget import Budget, Limits
from app.llm.gateway import LONGEST_WAIT, MAX_ATTEMPTS, Gateway
from app.llm.modes import ModeMemory
from app.llm.openai import OpenAIModel
from app.llm.prices import Prices
from app.tools.context import Cancellation, Cancelled

PRICES = Prices({"m": {"input": 2, "output": 10}})


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.slept: list[float] = []

    def now(self) -> int:
        return self.ms

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ms += round(seconds * 1_000)


class FakeModel:
    """Gives replies and errors in order; a callable is given the request."""

    provider = "fake"
    server = "http://here"
    name = "m"

    def __init__(self, *turns: Any) -> None:
        self.turns = list(turns)
        self.asked: list[ModelRequest] = []

    def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
        self.asked.append(request)
        turn = self.turns.pop(0)
        if isinstance(turn, Callable):
            turn = turn(request)
        if isinstance(turn, ModelError):
            if on_token:
                on_token("half")
            raise turn
        if on_token:
            on_token(turn.text)
        return turn


def reply(text: str = "yes", tokens: tuple[int | None, int | None] = (100, 50), **fields: Any) -> ModelReply:
    return ModelReply(text, None, "m-1", "fake", *tokens, **fields)


def gateway_to(*turns: Any, clock: Clock | None = None, **fields: Any) -> tuple[Gateway, FakeModel, Clock]:
    clock = clock or Clock()
    model = FakeModel(*turns)
    wiring = {"modes": ModeMemory(), "jitter": lambda longest: longest, **fields}
    return Gateway(model, clock_ms=clock.now, sleep=clock.sleep, **wiring), model, clock


def refused(gateway: Gateway, request: ModelRequest | None = None) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        gateway.ask(request or asking())
    return caught.value


OVERLOADED = ModelError("server", "overloaded")
NO_MODE = ModelError("mode", "no such mode")


class TestRetries:
    @pytest.mark.parametrize("kind", ["rate_limit", "network", "timeout", "server"])
    def test_what_may_pass_is_tried_again(self, kind: str) -> None:
        gateway, _, clock = gateway_to(ModelError(kind, "not now"), reply())
        asked = gateway.ask(asking())
        assert (asked.reply.text, asked.call.attempts) == ("yes", 2)
        assert clock.slept == [1.0]

    @pytest.mark.parametrize("kind", ["auth", "no_model", "too_long", "refused", "garbage", "mode"])
    def test_what_will_not_pass_is_not(self, kind: str) -> None:
        gateway, model, clock = gateway_to(ModelError(kind, "never", hint="do this"))
        error = refused(gateway)
        assert (error.kind, error.message, error.hint) == (kind, "never", "do this")
        assert (len(model.asked), clock.slept) == (1, [])

    def test_waits_double_and_attempts_end(self) -> None:
        gateway, model, clock = gateway_to(*[OVERLOADED] * 9)
        error = refused(gateway)
        assert error.kind == "server"
        assert len(model.asked) == MAX_ATTEMPTS == error.call.attempts
        assert clock.slept == [1.0, 2.0, 4.0, 8.0]
        assert max(clock.slept) <= LONGEST_WAIT

    def test_a_wait_is_any_below_the_longest(self) -> None:
        waits = set()
        for _ in range(5):
            gateway, _, clock = gateway_to(OVERLOADED, reply())
            gateway = dataclasses.replace(gateway, jitter=Gateway.jitter)
            gateway.ask(asking())
            waits.update(clock.slept)
        assert len(waits) > 1
        assert all(0 <= wait <= 1 for wait in waits)

    def test_the_servers_own_time_is_kept(self) -> None:
        gateway, _, clock = gateway_to(ModelError("rate_limit", "later", retry_after=47.5), reply())
        gateway.ask(asking())
        assert clock.slept == [47.5]

    def test_a_time_too_far_away_is_not_waited_for(self) -> None:
        gateway, model, clock = gateway_to(ModelError("rate_limit", "tomorrow", retry_after=3600))
        error = refused(gateway)
        assert (error.retry_after, len(model.asked), clock.slept) == (3600, 1, [])

    def test_no_attempt_begins_after_two_minutes(self) -> None:
        limited = ModelError("rate_limit", "later", retry_after=50)
        gateway, model, _ = gateway_to(limited, limited, limited, reply())
        refused(gateway)
        assert len(model.asked) == 3

    def test_who_watches_is_told_before_the_stream_begins_anew(self) -> None:
        told: list[Any] = []
        gateway, _, _ = gateway_to(OVERLOADED, reply("whole"), on_retry=told.append)
        gateway.ask(asking(), told.append)
        first, retry, last = told
        assert (first, last) == ("half", "whole")
        assert isinstance(retry, Retry)
        assert (retry.attempt, retry.wait_seconds, retry.error) == (1, 1.0, OVERLOADED)

    def test_a_real_server_is_asked_again_as_it_says(self, served: Served) -> None:
        clock = Clock()
        served.limits_rate(3)
        served.server.ends_early()
        served.says("Hello.")
        gateway = Gateway(
            served.model,
            clock_ms=clock.now,
            sleep=clock.sleep,
            modes=ModeMemory(),
            jitter=lambda longest: longest,
        )
        heard: list[str] = []
        asked = gateway.ask(asking(), heard.append)
        assert (asked.reply.text, asked.call.attempts, clock.slept) == ("Hello.", 3, [3.0, 2.0])


class TestCancellation:
    def test_a_call_is_not_begun_when_it_should_stop(self) -> None:
        cancellation = Cancellation()
        gateway, model, _ = gateway_to(reply(), cancellation=cancellation)
        cancellation.request()
        with pytest.raises(Cancelled):
            gateway.ask(asking())
        assert model.asked == []

    def test_a_wait_ends_when_asked(self) -> None:
        cancellation = Cancellation()
        gateway, model, _ = gateway_to(ModelError("rate_limit", "later", retry_after=60))
        watch = Watch(on_retry=lambda retry: cancellation.request(), cancellation=cancellation)
        with pytest.raises(Cancelled):
            gateway.followed_by(watch).ask(asking())
        assert len(model.asked) == 1

    def test_a_wait_is_one_that_can_be_ended(self) -> None:
        waited: list[float | None] = []

        class Watched(Cancellation):
            def wait(self, seconds: float | None = None) -> bool:
                waited.append(seconds)
                return False

        limited = ModelError("rate_limit", "later", retry_after=60)
        gateway, _, clock = gateway_to(limited, reply(), cancellation=Watched())
        gateway.ask(asking())
        assert (waited, clock.slept) == ([60], [])

    def test_a_stream_ends_between_two_tokens(self, served: Served) -> None:
        cancellation = Cancellation()
        heard: list[str] = []

        def hear(token: str) -> None:
            heard.append(token)
            cancellation.request()

        served.says("one two three four five")
        with pytest.raises(Cancelled):
            Gateway(served.model, cancellation=cancellation).ask(asking(), hear)
        assert len(heard) == 1


class TestStructuredOutput:
    def test_a_server_is_asked_by_its_schema_mode_first(self) -> None:
        gateway, model, _ = gateway_to(reply())
        assert gateway.ask(judging()).call.structured == "json_schema"
        assert model.asked[0].structured == "json_schema"

    def test_lacking_modes_are_gone_through_once(self) -> None:
        gateway, model, clock = gateway_to(NO_MODE, NO_MODE, reply(), reply())
        first, second = (gateway.ask(judging()) for _ in range(2))
        assert [request.structured for request in model.asked] == [
            "json_schema",
            "json_object",
            "text",
            "text",
        ]
        assert (first.call.attempts, second.call.attempts) == (3, 1)
        assert (second.call.structured, clock.slept) == ("text", [])

    def test_another_gateway_to_the_same_server_knows_it(self) -> None:
        modes = ModeMemory()
        gateway_to(NO_MODE, reply(), modes=modes)[0].ask(judging())
        gateway, model, _ = gateway_to(reply(), modes=modes)
        gateway.ask(judging())
        assert model.asked[0].structured == "json_object"

    def test_nothing_is_learnt_from_a_server_that_fails_at_everything(self) -> None:
        broken = ModelError("auth", "no")
        gateway, model, _ = gateway_to(NO_MODE, NO_MODE, broken, reply())
        refused(gateway, judging())
        gateway.ask(judging())
        assert model.asked[-1].structured == "json_schema"

    def test_garbage_shows_that_the_server_has_the_mode(self) -> None:
        gateway, model, _ = gateway_to(NO_MODE, UnusableReply("no JSON", reply()), reply())
        refused(gateway, judging())
        gateway.ask(judging())
        assert model.asked[-1].structured == "json_object"

    def test_a_text_is_no_structured_output(self) -> None:
        gateway, _, _ = gateway_to(reply())
        assert gateway.ask(asking()).call.structured is None

    def test_a_real_server_without_the_mode_answers_all_the_same(
        self, openai_server: FakeOpenAI, openai_model: OpenAIModel
    ) -> None:
        gateway = Gateway(openai_model, modes=ModeMemory())
        openai_server.refuses(500, "Internal Server Error")
        openai_server.refuses(400, "response_format: unknown type")
        openai_server.says('The verdict: {"result": true}')
        asked = gateway.ask(judging())
        assert asked.reply.value == {"result": True}
        assert (asked.call.structured, asked.call.attempts, asked.call.repairs) == (
            "text",
            3,
            ("surrounding text",),
        )


class TestRecords:
    def test_a_call_is_recorded_whole(self) -> None:
        gateway, _, _ = gateway_to(OVERLOADED, reply(repairs=("comment",)), prices=PRICES)
        call = gateway.ask(asking(prompt_name="plan", prompt_hash="abc")).call
        assert call.to_json() == {
            "purpose": "generate",
            "provider": "fake",
            "model": "m",
            "prompt": "plan",
            "prompt_hash": "abc",
            "input_tokens": 100,
            "output_tokens": 50,
            "cost": 0.0007,
            "attempts": 2,
            "structured": None,
            "repairs": ["comment"],
            "started_ms": 1_000_000,
            "ended_ms": 1_001_000,
        }

    @pytest.mark.parametrize("tokens", [(None, None), (None, 5), (5, None)])
    def test_what_is_unknown_is_null_and_never_zero(self, tokens: tuple[int | None, int | None]) -> None:
        gateway, _, _ = gateway_to(reply(tokens=tokens), prices=PRICES)
        call = gateway.ask(asking()).call
        assert (call.input_tokens, call.output_tokens, call.cost) == (*tokens, None)

    def test_a_model_without_a_price_has_no_cost(self) -> None:
        gateway, _, _ = gateway_to(reply())
        assert gateway.ask(asking()).call.cost is None

    def test_garbage_cost_what_it_cost(self) -> None:
        gateway, _, _ = gateway_to(UnusableReply("no JSON", reply("oops")), prices=PRICES)
        error = refused(gateway, judging())
        assert (error.kind, error.reply.text) == ("garbage", "oops")
        assert (error.call.input_tokens, error.call.cost) == (100, 0.0007)


class TestBudgets:
    @pytest.mark.parametrize(
        ("limits", "name"),
        [
            (Limits(model_calls=2), "model_calls"),
            (Limits(input_tokens=200), "input_tokens"),
            (Limits(output_tokens=100), "output_tokens"),
            (Limits(cost=0.0014), "cost"),
        ],
    )
    def test_a_used_up_limit_is_named_before_the_next_call(self, limits: Limits, name: str) -> None:
        gateway, model, _ = gateway_to(*[reply()] * 3, budget=Budget(limits), prices=PRICES)
        gateway.ask(asking())
        gateway.ask(asking())
        error = refused(gateway)
        assert (error.kind, error.call, len(model.asked)) == ("budget", None, 2)
        assert error.message.startswith(f"limit reached: {name}: ")
        assert error.hint == f"MAX_{name.upper()} sets it"

    def test_models_of_a_run_share_its_budget(self) -> None:
        budget = Budget(Limits(model_calls=1))
        gateway_to(reply(), budget=budget)[0].ask(asking())
        assert refused(gateway_to(reply(), budget=budget)[0]).kind == "budget"

    def test_a_limit_of_cost_wants_a_price(self) -> None:
        gateway, model, _ = gateway_to(reply(), budget=Budget(Limits(cost=1)))
        error = refused(gateway)
        assert (error.kind, model.asked) == ("budget", [])
        assert "limit" in error.message
        assert "'m'" in error.message

    def test_uncounted_tokens_are_estimated_for_the_limit_alone(self) -> None:
        gateway, _, _ = gateway_to(reply("x" * 400, (None, None)), budget=Budget(Limits(output_tokens=100)))
        assert gateway.ask(asking()).call.output_tokens is None
        assert refused(gateway).kind == "budget"

    def test_garbage_counts(self) -> None:
        garbage = UnusableReply("no JSON", reply())
        gateway, _, _ = gateway_to(garbage, budget=Budget(Limits(output_tokens=50)))
        assert refused(gateway).kind == "garbage"
        assert refused(gateway).kind == "budget"

    def test_what_a_run_used_before_counts(self) -> None:
        budget = Budget(Limits(cost=1))
        budget.resume(3, 10, None, 1.0)
        gateway, _, _ = gateway_to(reply(), budget=budget, prices=PRICES)
        assert "1 of 1 used" in refused(gateway).message
