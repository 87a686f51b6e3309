"""The JSON schema of a plan says what the parser says, one step at a time."""

from __future__ import annotations

import json

import pytest
from checker_samples import answer, assign, branch, calling, jump
from jsonschema import Draft202012Validator

from app.plan.instructions import READERS
from app.plan.parse import PlanSyntaxError, plan_from_json
from app.plan.schema import FORMS, plan_schema

VALIDATOR = Draft202012Validator(plan_schema())


def prompt(**changes):
    parameters = {"condition_prompt": "is it?", "jump_if_true": 0, "jump_if_false": 1, **changes}
    return {"seq_no": 0, "type": "jmp", "parameters": parameters}


def document(*steps, **more):
    return {"version": 1, "steps": list(steps), **more}


VALID = [
    document(answer(0)),
    {"steps": [answer(0)]},
    document(answer(0), reasoning="why"),
    document(answer(0), reasoning={"why": ["so"]}),
    document({**answer(7), "description": "the end"}),
    document({**answer(7), "description": None}),
    document(assign(0, a=None, b=[{"c": "${d}"}])),
    document(assign(0)),
    document(calling(0, "t")),
    document({"seq_no": 0, "type": "calling", "parameters": {"tool_name": "t"}}),
    document(calling(0, "t", {"any": ["thing"]}, "name")),
    document(calling(0, "t", {}, ["a", "b"])),
    document(calling(0, "t", {}, {"a": "b.c[0]", "d": ""})),
    document(calling(0, "t", {}, [])),
    document(calling(0, "t", for_each="${files}")),
    document(calling(0, "t", for_each="${{ files[:3] }}")),
    document(calling(0, "t", for_each=[1, "${b}"])),
    document(calling(0, "t", timeout=0.5, retry={"max_attempts": 3, "backoff": 0}, on_error="continue")),
    document(calling(0, "t", timeout=None, retry=None, on_error=None, for_each=None, output_vars=None)),
    document(calling(0, "t", retry={})),
    document(calling(0, "t", retry={"backoff": None})),
    document(calling(0, "t", on_error={"goto": 5})),
    document(calling(0, "t", on_error="fail")),
    document(jump(0, 0)),
    document(branch(0, "a > 1", 0)),
    document(branch(0, "a > 1", 0, 1)),
    document(prompt()),
    document(prompt(context={"a": "${b}"})),
    document({"seq_no": 0, "type": "reasoning", "parameters": {"chain_of_thoughts": "so", "more": [1]}}),
]

BROKEN = [
    [],
    [answer(0)],
    {"version": 1},
    document(),
    document(answer(0), extra=1),
    {"version": 2, "steps": [answer(0)]},
    document(answer(-1)),
    document(answer("0")),
    document({**answer(0), "seq_no": True}),
    document({**answer(0), "extra": 1}),
    document({**answer(0), "type": "asign"}),
    document({**answer(0), "description": 5}),
    document({"seq_no": 0, "type": "assign"}),
    document({"type": "assign", "parameters": {}}),
    document(assign(0, **{"bad name": 1})),
    document(assign(0, **{"a" * 129: 1})),
    document(calling(0, "")),
    document(calling(0, "  ")),
    document(calling(0, 5)),
    document({"seq_no": 0, "type": "calling", "parameters": {"tool_params": {}}}),
    document({"seq_no": 0, "type": "calling", "parameters": {"tool_name": "t", "tool_params": []}}),
    document(calling(0, "t", {}, 5)),
    document(calling(0, "t", {}, ["a", "a"])),
    document(calling(0, "t", {}, ["a b"])),
    document(calling(0, "t", {}, {"a": 5})),
    document(calling(0, "t", for_each=5)),
    document(calling(0, "t", for_each="files")),
    document(calling(0, "t", timeout=0)),
    document(calling(0, "t", timeout="5")),
    document(calling(0, "t", timeout=10**9)),
    document(calling(0, "t", retry=3)),
    document(calling(0, "t", retry={"max_attempts": 0})),
    document(calling(0, "t", retry={"max_attempts": 1.5})),
    document(calling(0, "t", retry={"backoff": -1})),
    document(calling(0, "t", retry={"times": 3})),
    document(calling(0, "t", on_error="ignore")),
    document(calling(0, "t", on_error={"goto": "5"})),
    document(calling(0, "t", on_error={})),
    document(calling(0, "t", on_eror="fail")),
    document(jump(0, "1")),
    document({"seq_no": 0, "type": "jmp", "parameters": {}}),
    document(
        {"seq_no": 0, "type": "jmp", "parameters": {"target_seq": 0, "condition": "a", "jump_if_true": 1}}
    ),
    document({"seq_no": 0, "type": "jmp", "parameters": {"condition": "a"}}),
    document(
        {"seq_no": 0, "type": "jmp", "parameters": {"condition": "a", "jump_if_true": 1, "context": "b"}}
    ),
    document(prompt(jump_if_false=None)),
    document(prompt(condition_prompt="")),
    document({"seq_no": 0, "type": "reasoning", "parameters": "so"}),
]


def parses(plan):
    try:
        plan_from_json(plan)
    except PlanSyntaxError:
        return False
    return True


@pytest.mark.parametrize("plan", VALID, ids=json.dumps)
def test_what_parses_is_valid(plan):
    assert parses(plan)
    VALIDATOR.validate(plan)


@pytest.mark.parametrize("plan", BROKEN, ids=json.dumps)
def test_what_does_not_parse_is_not(plan):
    # The bare list parses as well; the schema describes the object form alone.
    assert isinstance(plan, list) or not parses(plan)
    assert not VALIDATOR.is_valid(plan)


def test_it_is_a_schema():
    Draft202012Validator.check_schema(plan_schema())


def test_it_is_made_anew_for_each_caller():
    plan_schema()["properties"].clear()
    assert plan_schema()["properties"]


def test_every_instruction_has_a_form_and_no_other():
    assert {form.type for form in FORMS.values()} == set(READERS)


def test_every_parameter_is_described_in_one_line():
    for form in FORMS.values():
        assert form.doc
        for parameter in form.parameters.values():
            assert parameter.doc and "\n" not in parameter.doc and len(parameter.doc) <= 100
            assert parameter.to_schema()["description"] == parameter.doc


def test_objects_whose_keys_are_known_take_no_others():
    def objects(schema):
        if isinstance(schema, dict):
            if "properties" in schema:
                yield schema
            for part in schema.values():
                yield from objects(part)
        elif isinstance(schema, list):
            for part in schema:
                yield from objects(part)

    found = list(objects({key: part for key, part in plan_schema().items() if key != "$defs"}))
    for definition in plan_schema()["$defs"].values():
        found += objects(definition)
    assert len(found) > 6
    assert all(schema["additionalProperties"] is False for schema in found)
