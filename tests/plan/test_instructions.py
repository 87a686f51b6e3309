"""The parameters of each kind of step: every form, and every fault named with its place."""

from __future__ import annotations

from typing import Any

import pytest

from app.plan.model import Assign, Calling, Jump, OnError, Reasoning, Retry
from app.plan.parse import PlanSyntaxError, plan_from_json


def one(kind: str, parameters: Any, **more: Any) -> Any:
    return (
        plan_from_json([{"seq_no": 1, "type": kind, "parameters": parameters, **more}]).steps[0].instruction
    )


def refused(document: Any) -> PlanSyntaxError:
    with pytest.raises(PlanSyntaxError) as caught:
        plan_from_json(document)
    return caught.value


def refused_step(kind: str, parameters: Any) -> PlanSyntaxError:
    return refused({"steps": [{"seq_no": 7, "type": kind, "parameters": parameters}]})


class TestAssign:
    def test_values_are_kept_as_they_stand(self) -> None:
        assert one("assign", {"a": ["${b}"]}) == Assign({"a": ["${b}"]})

    def test_values_keep_their_order(self) -> None:
        assert list(one("assign", {"b": 1, "a": None}).values) == ["b", "a"]

    @pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ä", "a" * 129, "a\n"])
    def test_odd_names_are_refused(self, name: str) -> None:
        error = refused_step("assign", {name: 1})
        assert error.step == 7
        assert "variable" in error.message


class TestCalling:
    def test_the_smallest_call(self) -> None:
        assert one("calling", {"tool_name": "t"}) == Calling("t", {}, {}, None, None, None, OnError())

    def test_every_field(self) -> None:
        call = one(
            "calling",
            {
                "tool_name": "t",
                "tool_params": {"x": "${a}"},
                "output_vars": {"v": "rows[0].name", "all": ""},
                "for_each": "${list}",
                "timeout": 2.5,
                "retry": {"max_attempts": 3, "backoff": 0},
                "on_error": {"goto": 9},
            },
        )
        assert call.outputs == {"v": ("rows", 0, "name"), "all": ()}
        assert (call.for_each, call.timeout) == ("${list}", 2.5)
        assert call.retry == Retry(3, 0.0)
        assert call.on_error == OnError("goto", 9)

    @pytest.mark.parametrize("nothing", [None, []])
    def test_no_outputs(self, nothing: Any) -> None:
        assert one("calling", {"tool_name": "t", "output_vars": nothing}).outputs == {}

    @pytest.mark.parametrize(
        ("written", "outputs"),
        [
            ("a", {"a": ()}),
            (["a"], {"a": ()}),
            (["a", "b"], {"a": ("a",), "b": ("b",)}),
            ({"a": '["odd key"].x'}, {"a": ("odd key", "x")}),
            ({"a": "[1][-1]"}, {"a": (1, -1)}),
        ],
    )
    def test_outputs(self, written: Any, outputs: Any) -> None:
        assert one("calling", {"tool_name": "t", "output_vars": written}).outputs == outputs

    def test_null_counts_as_left_out(self) -> None:
        nulls = dict.fromkeys(["tool_params", "output_vars", "for_each", "timeout", "retry", "on_error"])
        assert one("calling", {"tool_name": "t", **nulls}) == one("calling", {"tool_name": "t"})

    def test_for_each_may_be_a_list_even_an_empty_one(self) -> None:
        assert one("calling", {"tool_name": "t", "for_each": []}).for_each == []

    def test_retry_has_defaults(self) -> None:
        assert one("calling", {"tool_name": "t", "retry": {}}).retry == Retry()

    @pytest.mark.parametrize(
        ("field", "value", "path"),
        [
            ("tool_name", "", "tool_name"),
            ("tool_name", 5, "tool_name"),
            ("tool_params", [1], "tool_params"),
            ("output_vars", 5, "output_vars"),
            ("output_vars", "", "output_vars"),
            ("output_vars", ["a", "a"], "output_vars[1]"),
            ("output_vars", ["a", 5], "output_vars[1]"),
            ("output_vars", {"a": 5}, "output_vars.a"),
            ("output_vars", {"a": "x..y"}, "output_vars.a"),
            ("output_vars", {"a": ".x"}, "output_vars.a"),
            ("output_vars", {"a b": "x"}, 'output_vars["a b"]'),
            ("for_each", "files", "for_each"),
            ("for_each", {"a": 1}, "for_each"),
            ("timeout", "3", "timeout"),
            ("timeout", 0, "timeout"),
            ("timeout", True, "timeout"),
            ("timeout", 10**9, "timeout"),
            ("retry", 3, "retry"),
            ("retry", {"max_attempts": 0}, "retry.max_attempts"),
            ("retry", {"max_attempts": 1.5}, "retry.max_attempts"),
            ("retry", {"backoff": -1}, "retry.backoff"),
            ("retry", {"attempts": 2}, "retry.attempts"),
            ("on_error", "retry", "on_error"),
            ("on_error", {"goto": "x"}, "on_error.goto"),
            ("on_error", {}, "on_error"),
            ("on_error", {"goto": 1, "x": 2}, "on_error.x"),
            ("tool", "t", "tool"),
        ],
    )
    def test_a_wrong_field_is_named_with_its_place(self, field: str, value: Any, path: str) -> None:
        error = refused_step("calling", {"tool_name": "t", field: value})
        assert error.path == f"steps[0].parameters.{path}"
        assert error.step == 7
        assert error.hint

    def test_a_tool_is_needed(self) -> None:
        assert "tool_name is missing" in refused_step("calling", {}).message


class TestJump:
    def test_without_a_condition(self) -> None:
        assert one("jmp", {"target_seq": 4}) == Jump(target=4)

    def test_by_a_prompt_as_older_plans_write_it(self) -> None:
        jump = one("jmp", {"condition_prompt": "ok?", "context": None, "jump_if_true": 2, "jump_if_false": 3})
        assert jump == Jump(condition_prompt="ok?", if_true=2, if_false=3)

    def test_by_a_condition_with_or_without_the_other_way(self) -> None:
        assert one("jmp", {"condition": "a > 1", "jump_if_true": 2}) == Jump(condition="a > 1", if_true=2)
        assert one("jmp", {"condition": "a", "jump_if_true": 2, "jump_if_false": 3}).if_false == 3

    def test_a_condition_in_braces_is_the_expression_inside(self) -> None:
        assert one("jmp", {"condition": " ${{ a > 1 }} ", "jump_if_true": 2}).condition == "a > 1"

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"target_seq": 1, "condition": "a"},
            {"target_seq": 1, "condition_prompt": "a", "jump_if_true": 1, "jump_if_false": 2},
            {"condition": "a", "condition_prompt": "b", "jump_if_true": 1, "jump_if_false": 2},
            {"target_seq": 1, "jump_if_true": 2},
            {"target_seq": 1, "context": "x"},
            {"target_seq": "1"},
            {"condition": "a"},
            {"condition": "", "jump_if_true": 1},
            {"condition": True, "jump_if_true": 1},
            {"condition": "a", "jump_if_true": 1, "context": "x"},
            {"condition_prompt": "a", "jump_if_true": 1},
            {"condition_prompt": 5, "jump_if_true": 1, "jump_if_false": 1},
            {"condition": "a", "jump_if_true": -1},
            {"condition": "a", "jump_if_true": 1, "else": 2},
        ],
    )
    def test_anything_but_one_whole_form_is_refused(self, parameters: Any) -> None:
        assert refused_step("jmp", parameters).path.startswith("steps[0].parameters")


class TestReasoning:
    def test_anything_goes(self) -> None:
        assert one("reasoning", {"chain_of_thoughts": [1], "x": {}}) == Reasoning(
            {"chain_of_thoughts": [1], "x": {}}
        )

    def test_the_parameters_may_be_left_out(self) -> None:
        assert plan_from_json([{"seq_no": 0, "type": "reasoning"}]).steps[0].instruction == Reasoning({})
