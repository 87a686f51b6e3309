"""The parser: every form a plan may have, every fault named with its place, and nothing guessed."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.plan.model import Plan
from app.plan.parse import PlanSyntaxError, parse_plan, plan_from_json

ANSWER = {"seq_no": 0, "type": "assign", "parameters": {"final_answer": "done"}}
TEXT = json.dumps([ANSWER])


def refused(document: Any) -> PlanSyntaxError:
    with pytest.raises(PlanSyntaxError) as caught:
        plan_from_json(document)
    return caught.value


def refused_text(text: str | bytes) -> PlanSyntaxError:
    with pytest.raises(PlanSyntaxError) as caught:
        parse_plan(text)
    return caught.value


class TestForms:
    def test_a_bare_list_is_a_plan(self) -> None:
        plan = parse_plan(TEXT)
        assert [step.seq_no for step in plan.steps] == [0]
        assert plan.reasoning is None

    def test_an_object_is_a_plan_with_reasoning_of_any_type(self) -> None:
        plan = parse_plan(json.dumps({"version": 1, "reasoning": {"why": [1]}, "steps": [ANSWER]}))
        assert plan.reasoning == {"why": [1]}
        assert plan.version == 1

    def test_the_version_may_be_left_out(self) -> None:
        assert plan_from_json({"steps": [ANSWER]}).version == 1

    def test_a_plan_written_out_and_parsed_again_is_equal(self) -> None:
        plan = plan_from_json({"reasoning": "r", "steps": [{**ANSWER, "description": "say it"}]})
        assert plan_from_json(plan.to_json()) == plan

    def test_the_parameters_are_the_documents_own_object(self) -> None:
        assert plan_from_json([ANSWER]).steps[0].parameters is ANSWER["parameters"]

    def test_steps_stay_in_the_order_given(self) -> None:
        steps = [{**ANSWER, "seq_no": number} for number in (5, 2, 2)]
        assert [step.seq_no for step in plan_from_json(steps).steps] == [5, 2, 2]

    @pytest.mark.parametrize("encoded", [TEXT.encode(), b"\xef\xbb\xbf" + TEXT.encode(), "\ufeff" + TEXT])
    def test_bytes_and_byte_order_marks_are_understood(self, encoded: str | bytes) -> None:
        assert parse_plan(encoded) == parse_plan(TEXT)


class TestBadText:
    @pytest.mark.parametrize(
        ("text", "place"), [("[1, 2", "line 1 column 6"), ("[\n  {]", "line 2 column 4")]
    )
    def test_broken_json_is_named_with_line_and_column(self, text: str, place: str) -> None:
        assert refused_text(text).path == place

    def test_text_after_a_list_that_is_no_plan_is_refused(self) -> None:
        assert "text after the end" in refused_text("[{}] and so on").message

    @pytest.mark.parametrize("size", [101, 2_000, 4_000_000, 10_000_000])
    def test_nested_lists_give_one_clean_error_quickly(self, size: int) -> None:
        begun = time.process_time()
        error = refused_text("[" * size + "]" * (size if size < 4_000 else 0))
        assert len(error.problems) == 1
        assert "deep" in error.message or "large" in error.message
        assert time.process_time() - begun < 1

    @pytest.mark.parametrize(
        "piece", ['{"a', '{"a"{', '[ {"seq_no', "[ [ {", '{"steps": [', '\\"{"', "<answer>"]
    )
    def test_endless_beginnings_of_json_take_no_endless_time(self, piece: str) -> None:
        begun = time.process_time()
        refused_text("so: " + piece * (2_000_000 // len(piece)))
        assert time.process_time() - begun < 3

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4301])
    def test_numbers_beyond_json_are_refused(self, value: str) -> None:
        error = refused_text(TEXT.replace('"done"', value))
        assert "number" in error.message

    def test_a_repeated_key_is_refused_with_its_place(self) -> None:
        error = refused_text(TEXT.replace('"final_answer"', '"a": 1, "a": 2, "final_answer"'))
        assert error.path == "[0].parameters"
        assert "'a'" in error.message

    @pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}'])
    def test_lone_surrogates_are_refused(self, text: str) -> None:
        assert "surrogate" in refused_text(TEXT.replace('"done"', text)).message

    def test_a_surrogate_in_the_text_itself_is_refused(self) -> None:
        assert "surrogate" in refused_text(TEXT.replace("done", "\ud800")).message

    def test_bytes_that_are_not_utf_8_are_refused(self) -> None:
        assert "UTF-8" in refused_text(b'["\xff"]').message

    def test_a_text_above_4_mib_is_refused_by_its_bytes(self) -> None:
        assert "large" in refused_text(TEXT.replace("done", "ä" * (2 * 1024 * 1024))).message


class TestBadDocuments:
    @pytest.mark.parametrize("document", [None, 1, "x", True, (1,), {1, 2}, object(), [(1,)], {"steps": {}}])
    def test_what_is_no_plan_is_refused(self, document: Any) -> None:
        assert refused(document).problems

    @pytest.mark.parametrize(
        "value",
        [
            math.nan,
            math.inf,
            pytest.param(1 << 20_000, id="long"),
            b"x",
            (1,),
            {1: 2},
            "\ud800",
            {"\ud800": 1},
        ],
    )
    def test_values_that_json_cannot_hold_are_refused_with_their_place(self, value: Any) -> None:
        error = refused({"steps": [{**ANSWER, "parameters": {"a": [0, value]}}]})
        assert error.path == "steps[0].parameters.a[1]"

    def test_a_hundred_levels_are_allowed_and_no_more(self) -> None:
        def nested(levels: int) -> Any:
            value: Any = "x"
            for _ in range(levels):
                value = [value]
            return [{**ANSWER, "parameters": {"a": value}}]

        assert plan_from_json(nested(97))
        assert "deep" in refused(nested(98)).message

    def test_a_document_that_holds_itself_is_nested_too_deeply(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        assert "deep" in refused([{**ANSWER, "parameters": {"a": loop}}]).message

    def test_a_plan_needs_a_step(self) -> None:
        assert "without steps" in refused([]).message
        assert "steps is missing" in refused({"version": 1}).message

    def test_more_than_20000_steps_are_refused(self) -> None:
        assert "20000" in (refused([ANSWER] * 20_001).hint or "")

    @pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None])
    def test_other_versions_are_refused(self, version: Any) -> None:
        assert refused({"version": version, "steps": [ANSWER]}).path == "version"

    def test_an_unknown_field_names_the_nearest_right_one(self) -> None:
        error = refused({"step": [], "steps": [ANSWER]})
        assert (error.path, error.hint) == ("step", "did you mean steps?")

    def test_an_unknown_field_of_a_step_names_the_nearest_right_one(self) -> None:
        error = refused([{**ANSWER, "paramters": {}}])
        assert (error.path, error.hint) == ("[0].paramters", "did you mean parameters?")

    @pytest.mark.parametrize("number", [-1, 1.0, "1", True, None, 2**31, [1]])
    def test_a_seq_no_is_a_whole_number_from_0(self, number: Any) -> None:
        assert "seq_no" in str(refused([{**ANSWER, "seq_no": number}]).problems[0])

    @pytest.mark.parametrize("kind", ["assgin", "call", "", None, 3])
    def test_an_unknown_type_of_step_is_refused(self, kind: Any) -> None:
        error = refused([{**ANSWER, "type": kind}])
        assert "type" in str(error.problems[0])
        assert error.step == 0

    def test_all_faults_are_reported_at_once_with_their_steps(self) -> None:
        error = refused([{**ANSWER, "type": "x"}, ANSWER, {**ANSWER, "seq_no": 2, "parameters": 1}, 5])
        assert [(problem.path, problem.step) for problem in error.problems] == [
            ("[0].type", 0),
            ("[2].parameters", 2),
            ("[3]", None),
        ]
        assert "3 problems" not in error.message and "2 more problems" in error.message

    def test_no_more_than_a_hundred_faults_are_reported(self) -> None:
        assert len(refused([5] * 20_000).problems) == 100

    @pytest.mark.parametrize("kind", ["assign", "calling", "jmp"])
    def test_parameters_are_needed(self, kind: str) -> None:
        assert "parameters is missing" in refused([{"seq_no": 0, "type": kind}]).message

    def test_a_description_is_a_text(self) -> None:
        assert plan_from_json([{**ANSWER, "description": None}]).steps[0].description is None
        assert refused([{**ANSWER, "description": 5}]).path == "[0].description"


def test_a_plan_of_a_thousand_steps_takes_milliseconds() -> None:
    steps = [{**ANSWER, "seq_no": number} for number in range(1_000)]
    text = json.dumps(steps)
    best = min(_seconds(text) for _ in range(3))
    assert best < 0.1


def _seconds(text: str) -> float:
    begun = time.process_time()
    parse_plan(text)
    return time.process_time() - begun


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
CALL_FIELDS = ["tool_name", "tool_params", "output_vars", "for_each", "timeout", "retry", "on_error", "goto"]
JUMP_FIELDS = ["target_seq", "condition", "condition_prompt", "jump_if_true", "jump_if_false"]
FIELDS = [*CALL_FIELDS, *JUMP_FIELDS]
WORDS = st.sampled_from(
    ["assign", "calling", "jmp", "reasoning", "fail", "continue", "${a}", "${{ a }}", "a"]
)
PARAMETERS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), DOCUMENTS | WORDS, max_size=6)
STEPS = st.fixed_dictionaries(
    {"seq_no": st.integers(-1, 5) | SCALARS, "type": WORDS | SCALARS, "parameters": PARAMETERS | SCALARS}
)


@given(
    st.lists(STEPS, max_size=3) | DOCUMENTS | st.fixed_dictionaries({"steps": st.lists(STEPS, max_size=3)})
)
def test_any_document_gives_a_plan_or_our_error(document: Any) -> None:
    try:
        plan = plan_from_json(document)
    except PlanSyntaxError as error:
        assert error.problems and all(problem.message and problem.hint for problem in error.problems)
    else:
        assert isinstance(plan, Plan)
        assert plan_from_json(plan.to_json()) == plan


TAGS = ["<answer>", "</answer>", "```json\n", "```", "\ufeff"]
BROKEN = [TEXT[:-5], '{"steps": ', "[{", '"', "\\", "}", "]", "\ud800"]
PIECES = st.sampled_from([TEXT, *TAGS, *BROKEN])


@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join))
def test_any_text_gives_a_plan_or_our_error(text: str) -> None:
    try:
        assert isinstance(parse_plan(text), Plan)
    except PlanSyntaxError as error:
        assert error.message and error.hint


@given(st.binary(max_size=40))
def test_any_bytes_give_a_plan_or_our_error(data: bytes) -> None:
    with pytest.raises(PlanSyntaxError):
        parse_plan(data)
