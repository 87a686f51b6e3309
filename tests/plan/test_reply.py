"""The one plan, or the one object, in a text with prose around it."""

from __future__ import annotations

import json

import pytest

from app.plan.parse import JsonTextError, PlanSyntaxError, find_json_object, parse_plan

ANSWER = {"seq_no": 0, "type": "assign", "parameters": {"final_answer": "done"}}
TEXT = json.dumps([ANSWER])


def refused_text(text: str | bytes) -> PlanSyntaxError:
    with pytest.raises(PlanSyntaxError) as caught:
        parse_plan(text)
    return caught.value


class TestReplies:
    @pytest.mark.parametrize(
        "reply",
        [
            f"```json\n{TEXT}\n```",
            f"Here is the plan:\n```\n{TEXT}\n```\nGood luck!",
            f"<answer>{TEXT}</answer>",
            f"<think>maybe {{x}} or [1]</think>\n<answer>\n```json\n{TEXT}\n```\n</answer>",
            f"<answer>{TEXT}",
            f"Plan: {TEXT} — as asked.",
            f"{TEXT}\nThat is all.",
            f"{TEXT}\nAgain:\n{TEXT}",
            f'[Note] a tool gave {{"rows": 3}}, so: {TEXT}',
        ],
    )
    def test_the_plan_is_found_in_a_reply(self, reply: str) -> None:
        assert parse_plan(reply) == parse_plan(TEXT)

    def test_a_draft_outside_the_answer_is_no_second_plan(self) -> None:
        draft = TEXT.replace("done", "draft")
        assert parse_plan(f"<think>{draft}</think><answer>{TEXT}</answer>") == parse_plan(TEXT)

    def test_an_answer_tag_inside_a_plans_text_means_nothing(self) -> None:
        tagged = TEXT.replace("done", "say <answer>no</answer>")
        plan = parse_plan(f"Plan: {tagged}")
        assert plan.steps[0].parameters == {"final_answer": "say <answer>no</answer>"}

    def test_two_different_plans_are_an_error(self) -> None:
        error = refused_text(f"{TEXT}\nor\n{TEXT.replace('done', 'other')}")
        assert "different" in error.message

    def test_a_broken_plan_beside_a_good_one_is_an_error(self) -> None:
        error = refused_text(f'[{{"seq_no": 0, oops}}]\n{TEXT}')
        assert error.path == "line 1 column 16"

    def test_a_step_of_a_broken_plan_is_not_taken_for_the_plan(self) -> None:
        error = refused_text(f'Plan: {{"version": 1 "steps": {TEXT}}}')
        assert error.path == "line 1 column 21"

    @pytest.mark.parametrize("text", ["", "  ", "no plan here", "42", '"text"', "null", 'see {"rows": 3}'])
    def test_a_text_without_a_plan_says_so(self, text: str) -> None:
        assert "no JSON plan" in refused_text(text).message


class TestObjectInText:
    @pytest.mark.parametrize(
        "text", ['{"a": 1}', 'Sure: {"a": 1}.', '```json\n{"a": 1}\n```', '{"a": 1} {"a": 1}', '{x} {"a": 1}']
    )
    def test_the_one_object_is_found(self, text: str) -> None:
        assert find_json_object(text) == {"a": 1}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "no",
            "[1]",
            '[{"a": 1}]',
            '{"a": 1} {"a": 2}',
            '{"a": NaN}',
            '{"a": 1, "a": 2}',
            '{"a": "\\ud800"}',
        ],
    )
    def test_anything_else_is_an_error(self, text: str) -> None:
        with pytest.raises(JsonTextError):
            find_json_object(text)
