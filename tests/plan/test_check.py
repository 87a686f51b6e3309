"""What the checker finds, and that it finds nothing where nothing is wrong."""

from __future__ import annotations

import gc
import json
import time

import pytest
from checker_samples import TEXT, Tools, answer, assign, branch, calling, closed, jump, plan
from hypothesis import given
from hypothesis import strategies as st

from app.plan.arguments import ArgumentCheck
from app.plan.check import CODES, check_plan, check_text, has_errors
from app.plan.model import Plan
from app.plan.signature import ToolSignature

TOOLS = Tools()


def check(*steps, tools=TOOLS):
    return check_plan(plan(*steps), tools)


def codes(*steps, tools=TOOLS):
    return [finding.code for finding in check(*steps, tools=tools)]


def only(*steps, tools=TOOLS):
    findings = check(*steps, tools=tools)
    assert len(findings) == 1, list(map(str, findings))
    return findings[0]


def search(**params):
    return calling(0, "search", params), answer(1)


class TestFinding:
    def test_it_reads_as_one_line(self):
        finding = only(calling(0, "read_file", {"path": 5}), answer(1))
        assert str(finding) == (
            "P008 error at step 0, parameters.tool_params.path: argument path must be string, not integer 5 "
            "(it is called as read_file(path: string))"
        )

    def test_it_is_json_too(self):
        finding = only(assign(4, final_answer="${x}"))
        assert json.loads(json.dumps(finding.to_json())) == {
            "code": "P005",
            "severity": "error",
            "step": 4,
            "path": "parameters.final_answer",
            "message": "variable 'x' is not set on any path to this step",
            "hint": "set it in a step before",
        }

    def test_findings_come_in_the_order_of_the_steps_and_of_the_codes(self):
        found = codes(
            calling(0, "raed_file", {"path": "${nope}"}),
            branch(1, "1 +", 99),
            answer(2, "${{ nope() }}"),
        )
        assert found == ["P005", "P007", "P003", "P012", "P012"]

    def test_every_code_has_a_meaning(self):
        assert list(CODES) == [f"P{number:03}" for number in range(1, 13)]


class TestNotAPlan:
    def test_each_problem_of_the_form_is_a_finding_with_its_place(self):
        document = [
            {"seq_no": 0, "type": "asign", "parameters": {}},
            {"seq_no": 1, "type": "calling", "parameters": {"tool_name": 5}},
        ]
        found, findings = check_text(json.dumps(document), TOOLS)
        assert found is None
        assert [finding.code for finding in findings] == ["P001", "P001"]
        assert findings[0].step == 0 and "assign" in findings[0].hint
        assert findings[1].step == 1 and "tool_name" in findings[1].path

    @pytest.mark.parametrize("text", ["", "{", "no plan", "[]", '{"steps": []}', "[" * 100_000, "null", "5"])
    def test_other_texts_are_one_finding(self, text):
        found, findings = check_text(text, TOOLS)
        assert found is None
        assert [(finding.code, finding.severity) for finding in findings] == [("P001", "error")]
        assert findings[0].message

    def test_a_plan_without_steps_is_one_finding(self):
        assert [finding.code for finding in check_plan(Plan(()), TOOLS)] == ["P001"]

    def test_a_good_text_gives_its_plan_and_no_finding(self):
        found, findings = check_text(json.dumps([answer(0)]), TOOLS)
        assert findings == [] and found == plan(answer(0))


class TestOrder:
    def test_a_repeated_number_is_named(self):
        finding = only(assign(0, a=1), assign(0, b=1), answer(1))
        assert (finding.code, finding.step) == ("P002", 0)
        assert "repeated" in finding.message

    def test_a_number_out_of_order_is_named(self):
        finding = only(assign(5, a=1), assign(3, b=1), answer(6))
        assert (finding.code, finding.step) == ("P002", 3)
        assert "after 5" in finding.message

    def test_gaps_are_fine(self):
        assert codes(assign(3, a=1), answer(700)) == []

    def test_out_of_order_only_that_is_judged_which_holds_in_any_order(self):
        # In the order of the list ``a`` is read before it is set; as meant, it is not.
        assert codes(answer(2, "${a}"), assign(1, a=1)) == ["P002"]
        assert codes(answer(2, "${b}"), assign(1, a=1)) == ["P005", "P002"]

    def test_out_of_order_it_is_not_known_which_step_comes_last(self):
        assert codes(branch(5, "true", 3), answer(6), assign(3, a=1)) == ["P002"]

    def test_out_of_order_without_an_answer_is_still_without_an_answer(self):
        assert codes(assign(2, a=1), assign(1, b=1)) == ["P002", "P011"]


class TestJumps:
    @pytest.mark.parametrize(
        ("step", "path"),
        [
            (jump(0, 9), "parameters.target_seq"),
            (branch(0, "true", 9), "parameters.jump_if_true"),
            (branch(0, "true", 1, 9), "parameters.jump_if_false"),
            (calling(0, "read_file", {"path": "a"}, on_error={"goto": 9}), "parameters.on_error.goto"),
        ],
    )
    def test_a_target_that_is_not_there_is_named_with_its_neighbours(self, step, path):
        finding = only(step, answer(1))
        assert (finding.code, finding.path) == ("P003", path)
        assert "9" in finding.message and "0, 1" in finding.hint

    def test_where_it_was_meant_to_lead_is_not_guessed(self):
        # Step 2 may be what step 1 meant: neither unreachable, nor is ``a`` surely unset there.
        assert codes(assign(0, b=1), jump(1, 20), answer(2, "${a}"), assign(3, a=1), jump(4, 2)) == ["P003"]

    def test_a_variable_that_may_be_set_on_the_way_nobody_knows_is_not_judged(self):
        assert codes(branch(0, "true", 20), answer(1, "${a}"), assign(2, a=1), jump(3, 1)) == ["P003"]

    def test_a_jump_to_nowhere_may_have_been_the_way_out_of_a_loop(self):
        assert codes(assign(0, a=1), branch(1, "a", 0, 20), answer(2)) == ["P003"]

    def test_a_variable_that_nobody_sets_is_found_all_the_same(self):
        assert codes(jump(0, 20), answer(1, "${a}")) == ["P003", "P005"]

    def test_a_jump_in_an_unreachable_step_is_checked_and_makes_nothing_vague(self):
        assert codes(jump(0, 2), jump(1, 9), answer(2)) == ["P003", "P004"]


class TestReachability:
    def test_a_step_behind_a_jump_is_a_warning(self):
        finding = only(jump(0, 2), assign(1, a=1), answer(2))
        assert (finding.code, finding.severity, finding.step) == ("P004", "warning", 1)

    def test_a_step_behind_the_final_answer_is_one_too(self):
        assert codes(answer(0), assign(1, a=1)) == ["P004"]

    def test_what_an_unreachable_step_reads_is_not_judged(self):
        assert codes(answer(0), assign(1, a="${nowhere}")) == ["P004"]

    def test_warnings_alone_are_no_errors(self):
        assert not has_errors(check(answer(0), assign(1, a=1)))


class TestVariables:
    def test_a_name_like_one_that_is_set_is_suggested(self):
        finding = only(assign(0, total=1), answer(1, "${totl}"))
        assert finding.code == "P005" and "total" in finding.hint

    def test_the_place_within_the_value_is_named(self):
        finding = only(calling(0, "search", {"query": "x", "fields": ["a", "${who}"]}), answer(1))
        assert finding.path == "parameters.tool_params.fields[1]"

    def test_a_step_that_reads_what_it_sets_is_told_so(self):
        finding = only(assign(0, i="${i} + 1"), answer(1))
        assert finding.code == "P005" and "itself" in finding.hint

    def test_a_variable_set_only_later_names_the_setter(self):
        finding = only(assign(0, a="${b}"), assign(1, b=1), answer(2))
        assert finding.code == "P005" and "step 1" in finding.hint

    def test_item_outside_of_for_each_is_explained(self):
        finding = only(calling(0, "read_file", {"path": "${item}"}), answer(1))
        assert finding.code == "P005" and "for_each" in finding.hint

    def test_a_variable_of_one_branch_is_a_warning(self):
        finding = only(branch(0, "1 < 2", 2), assign(1, a=1), answer(2, "${a}"))
        assert (finding.code, finding.severity, finding.step) == ("P006", "warning", 2)

    def test_error_is_unset_unless_a_call_failed(self):
        call = calling(0, "read_file", {"path": "a"}, "text", on_error="continue")
        assert codes(call, answer(1, "${error.message}")) == ["P006"]

    def test_error_after_a_question_is_no_finding(self):
        call = calling(0, "read_file", {"path": "a"}, "text", on_error="continue")
        assert codes(call, branch(1, "text != null", 3), answer(2, "${error}"), answer(3, "${text}")) == []

    def test_error_where_goto_leads_is_set(self):
        call = calling(0, "read_file", {"path": "a"}, "text", on_error={"goto": 2})
        assert codes(call, answer(1, "${text}"), answer(2, "${error.message}")) == []

    def test_outputs_are_not_there_where_goto_leads(self):
        call = calling(0, "read_file", {"path": "a"}, "text", on_error={"goto": 2})
        assert codes(call, answer(1), answer(2, "${text}")) == ["P005"]

    def test_the_names_in_reasoning_are_text(self):
        thoughts = {"seq_no": 0, "type": "reasoning", "parameters": {"chain_of_thoughts": "use ${x} and ${"}}
        assert codes(thoughts, answer(1)) == []


class TestTools:
    def test_an_unknown_tool_comes_with_the_nearest_name(self):
        finding = only(calling(0, "raed_file", {}), answer(1))
        assert (finding.code, finding.path) == ("P007", "parameters.tool_name")
        assert "read_file" in finding.hint

    def test_a_forbidden_tool_is_said_to_be_that(self):
        finding = only(calling(0, "format_disk", {}), answer(1))
        assert finding.code == "P007" and "not allowed in this namespace" in finding.message
        assert "format_disk" not in finding.hint

    def test_without_any_tool_that_is_said(self):
        finding = only(calling(0, "read_file", {}), answer(1), tools=Tools(()))
        assert finding.code == "P007" and finding.hint == "the namespace allows no tools"

    def test_an_alias_is_a_name(self):
        assert codes(calling(0, "find", {"query": "x"}), answer(1)) == []


class TestArguments:
    @pytest.mark.parametrize(
        "params",
        [
            {"query": "x"},
            {"query": "x", "limit": 3},
            {"query": "${a}", "limit": "${a}", "fields": "${a}", "within": "${a}", "options": "${a}"},
            {"query": "text ${a}", "limit": "${{ a + 1 }}", "fields": ["${a}", "b ${a}"]},
            {"query": "x", "options": {"mode": "${a}", "case": "${a}"}},
            {"query": "x", "options": {"mode": "wo${a}"}},
            {"query": "$${not a reference", "within": None},
        ],
    )
    def test_what_may_fit_is_no_finding(self, params):
        assert codes(assign(0, a=1), calling(1, "search", params), answer(2)) == []

    @pytest.mark.parametrize(
        ("params", "path", "message"),
        [
            ({}, "", "search needs argument query (string)"),
            ({"query": 5}, ".query", "argument query must be string, not integer 5"),
            ({"query": "x", "limit": 0}, ".limit", "argument limit: 0 is less than the minimum of 1"),
            ({"query": "x", "limit": "3"}, ".limit", "argument limit must be integer, not string '3'"),
            ({"query": "x", "limit": True}, ".limit", "argument limit must be integer, not boolean True"),
            ({"query": "x", "limit": "n${a}"}, ".limit", "argument limit must be integer, not text"),
            ({"query": "x", "limit": ["${a}"]}, ".limit", "argument limit must be integer, not array"),
            ({"query": "x", "limit": "$${"}, ".limit", "argument limit must be integer, not string '${'"),
            ({"query": ["${a}"]}, ".query", "argument query must be string, not array"),
            ({"query": "x", "fields": ["a", 1]}, ".fields[1]", "argument fields[1] must be string, not integer 1"),
            ({"query": "x", "fields": ["${a}", 1]}, ".fields[1]", "argument fields[1] must be string, not integer 1"),
            ({"query": "x", "fields": "a ${a}"}, ".fields", "argument fields must be array, not text"),
            ({"query": "x", "within": "all"}, ".within", "argument within must be integer or null, not string 'all'"),
            ({"query": "x", "within": "in ${a}"}, ".within", "argument within must be integer or null, not text"),
            ({"query": "x", "limt": 3}, ".limt", "search has no argument limt"),
            ({"query": "${a}", "limt": "${a}"}, ".limt", "search has no argument limt"),
            ({"query": "x", "options": {}}, ".options", "search needs argument options.mode ('word' or 'text')"),
            ({"query": "x", "options": {"case": "${a}"}}, ".options",
             "search needs argument options.mode ('word' or 'text')"),
            ({"query": "x", "options": {"mode": "line"}}, ".options.mode",
             "argument options.mode must be 'word' or 'text', not string 'line'"),
            ({"query": "x", "options": {"mode": "${a}", "x": 1}}, ".options.x", "search has no argument options.x"),
            ({"query": "x", "options": {"mode": "word", "case": "${a}?"}}, ".options.case",
             "argument options.case must be boolean, not text"),
        ],
    )  # fmt: skip
    def test_what_can_not_fit_is_one_finding_with_its_place(self, params, path, message):
        finding = only(assign(0, a=1), calling(1, "search", params), answer(2))
        assert (finding.code, finding.path) == ("P008", f"parameters.tool_params{path}")
        assert finding.message == message
        assert "search(query: string, limit?: integer" in finding.hint

    def test_each_argument_that_is_missing_is_named(self):
        tools = Tools((ToolSignature("copy", closed({"source": TEXT, "target": TEXT})),))
        messages = [finding.message for finding in check(calling(0, "copy", {}), answer(1), tools=tools)]
        assert messages == [
            "copy needs argument source (string)",
            "copy needs argument target (string)",
        ]

    def test_a_text_that_does_not_parse_is_no_wrong_type_as_well(self):
        assert codes(*search(query="x", limit="${")) == ["P012"]

    def test_references_within_a_schema_are_followed(self):
        schema = {
            **closed({"tree": {"$ref": "#/$defs/node"}}),
            "$defs": {"node": closed({"name": TEXT, "next": {"$ref": "#/$defs/node"}}, ["name"])},
        }
        tools = Tools((ToolSignature("plant", schema),))
        good = {"name": "${a}", "next": {"name": "b", "next": {"name": "${a}"}}}
        bad = {"name": "${a}", "next": {"name": 5}}
        assert codes(assign(0, a=1), calling(1, "plant", {"tree": good}), answer(2), tools=tools) == []
        finding = only(assign(0, a=1), calling(1, "plant", {"tree": bad}), answer(2), tools=tools)
        assert finding.path == "parameters.tool_params.tree.next.name"

    def test_an_open_schema_takes_any_name(self):
        tools = Tools((ToolSignature("open", {"type": "object", "properties": {"a": TEXT}}),))
        assert codes(calling(0, "open", {"b": 1, "c": "${{ 1 + 1 }}"}), answer(1), tools=tools) == []

    @pytest.mark.parametrize(
        "schema",
        [
            {"$ref": "https://example.invalid/schema.json"},
            {"$ref": "#/nowhere"},
            {"type": 17, "properties": [], "required": 5, "anyOf": {}, "enum": 3},
            {"type": "object", "properties": {"a": {"pattern": "("}}},
            {"type": "object", "properties": {"a": {"type": "nonsense"}}},
            {"$ref": "#"},
            {"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "allOf": [{"type": "object"}]},
            {"type": "object", "properties": {"a": {"minimum": "x"}}},
            {"$id": "not a uri", "$schema": 5},
            {"$schema": "https://example.invalid/no-such-draft"},
            {"properties": None, "required": [["a"], None], "additionalProperties": []},
            True,
            None,
        ],
    )
    @pytest.mark.parametrize("params", [{"a": "x"}, {"a": "x${v}"}, {"a": ["${v}", {"b": "${v}"}]}])
    def test_a_schema_that_makes_no_sense_says_nothing_and_breaks_nothing(self, schema, params):
        tools = Tools((ToolSignature("odd", schema, schema),))
        assert codes(assign(0, v=1), calling(1, "odd", params), answer(2), tools=tools) == []

    def test_a_reference_to_elsewhere_is_not_fetched(self, monkeypatch):
        fetched = []
        monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: fetched.append(a))
        tools = Tools((ToolSignature("odd", {"$ref": "http://localhost:9/schema.json"}),))
        assert codes(calling(0, "odd", {"a": 1}), answer(1), tools=tools) == [] == fetched

    def test_a_call_that_fits_is_never_blamed_for_what_a_reference_may_give(self):
        schema = {
            "type": "object",
            "properties": {
                "a": {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "array", "minItems": 2}]},
                "b": {"not": {"type": "string"}},
                "c": {"if": {"type": "string"}, "then": {"minLength": 5}},
                "d": {"type": "array", "uniqueItems": True, "contains": {"const": 7}},
                "e": {"type": "object", "propertyNames": {"maxLength": 2}, "minProperties": 1},
            },
            "dependentRequired": {"a": ["b"]},
        }
        tools = Tools((ToolSignature("odd", schema),))
        params = {"a": ["${v}", 1], "b": "${v}", "c": "${v}", "d": ["${v}", "${v}"], "e": {"k": "${v}"}}
        assert codes(assign(0, v=1), calling(1, "odd", params), answer(2), tools=tools) == []


class TestOutputs:
    @pytest.mark.parametrize(
        "outputs",
        ["whole", ["whole"], ["path", "text"], {"n": "lines"}, {"all": ""}, {}],
    )
    def test_what_the_result_has_is_no_finding(self, outputs):
        assert codes(calling(0, "read_file", {"path": "a"}, outputs), answer(1)) == []

    @pytest.mark.parametrize(
        ("tool", "outputs", "path"),
        [
            ("read_file", ["text", "pth"], "parameters.output_vars[1]"),
            ("read_file", {"n": "text.length"}, "parameters.output_vars.n"),
            ("read_file", {"n": "[0]"}, "parameters.output_vars.n"),
            ("list_files", ["first", "second"], "parameters.output_vars[0]"),
            ("list_files", {"n": "[0].size"}, "parameters.output_vars.n"),
        ],
    )
    def test_what_it_can_not_have_is_named(self, tool, outputs, path):
        findings = check(calling(0, tool, {"path": "a"}, outputs), answer(1))
        assert {finding.code for finding in findings} == {"P009"}
        assert findings[0].path == path

    def test_the_nearest_key_is_suggested(self):
        finding = only(calling(0, "read_file", {"path": "a"}, {"t": "txt"}), answer(1))
        assert "did you mean text?" in finding.hint and "path, text, lines" in finding.hint

    @pytest.mark.parametrize(
        ("result", "possible"),
        [
            (None, True),
            ({}, True),
            ({"type": "string"}, True),  # text may hold a JSON object
            ({"type": "integer"}, False),
            ({"type": "object"}, True),
            ({"type": "object", "additionalProperties": {"type": "integer"}}, True),
            ({"type": "object", "properties": {"b": {}}}, False),
            ({"type": "object", "properties": {"b": {}}, "additionalProperties": True}, True),
            ({"type": "object", "properties": {"b": {}}, "patternProperties": {"^x": {}}}, True),
            ({"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {}, "b": {}}}]}, True),
            ({"anyOf": [{"type": "null"}, {"type": "object", "properties": {"b": {}}}]}, False),
            ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, True),
            ({"properties": {"b": {}}, "anyOf": [{"properties": {"a": {}}}, {"required": ["b"]}]}, True),
            ({"$ref": "#/$defs/r", "$defs": {"r": {"type": "object", "properties": {"b": {}}}}}, False),
            ({"type": ["object", "null"], "properties": {"a": {}, "b": {}}}, True),
        ],
    )
    def test_schemas_of_results(self, result, possible):
        tools = Tools((ToolSignature("t", closed({}), result),))
        found = codes(calling(0, "t", {}, {"x": "a", "y": "b"}), answer(1), tools=tools)
        assert (found == []) == possible

    def test_the_outputs_of_a_for_each_are_those_of_one_item(self):
        call = calling(0, "read_file", {"path": "${item}"}, ["text", "lines"], for_each=["a", "b"])
        assert codes(call, answer(1, "${lines}")) == []


class TestLoops:
    def test_a_loop_with_a_condition_is_fine(self):
        assert codes(assign(0, i=0), assign(1, i="${i} + 1"), branch(2, "i < 3", 1), answer(3)) == []

    def test_a_loop_without_a_way_out_names_its_steps(self):
        findings = check(branch(0, "true", 3), assign(1, a=1), jump(2, 1), answer(3))
        assert [(finding.code, finding.step) for finding in findings] == [("P010", 1)]
        assert "steps 1, 2" in findings[0].message

    def test_conditions_that_only_lead_round_are_no_way_out(self):
        assert codes(branch(0, "true", 3), assign(1, a=1), branch(2, "a", 1, 2), answer(3)) == ["P010"]

    def test_an_answer_within_the_loop_is_a_way_out(self):
        call = calling(1, "read_file", {"path": "a"}, "final_answer", on_error={"goto": 0})
        assert codes(assign(0, a=1), call) == []

    def test_running_past_the_last_step_is_a_way_out(self):
        assert "P010" not in codes(assign(0, a=1), branch(1, "a", 0))


class TestAnswer:
    def test_a_plan_without_an_answer_is_an_error(self):
        finding = only(assign(0, a=1))
        assert (finding.code, finding.severity, finding.step) == ("P011", "error", None)

    def test_an_answer_that_nothing_leads_to_is_none(self):
        found = check(jump(0, 2), answer(1), assign(2, a=1))
        assert [(finding.code, finding.severity) for finding in found] == [
            ("P004", "warning"),
            ("P011", "error"),
        ]

    def test_an_end_without_an_answer_beside_one_with_is_a_warning(self):
        finding = only(branch(0, "true", 2), answer(1), assign(2, a=1))
        assert (finding.code, finding.severity, finding.step) == ("P011", "warning", 2)


class TestExpressions:
    @pytest.mark.parametrize(
        "value",
        [
            "${{ 1 + }}",
            "${{ open('x') }}",
            "${{ a.b }}",
            "${{ [x for x in y] }}",
            "${",
            "${}",
            "${{ 1 }",
            "${a.}",
            "${1}",
        ],
    )
    def test_what_does_not_parse_is_named(self, value):
        finding = only(answer(0, {"deep": [1, value]}))
        assert (finding.code, finding.severity, finding.path) == (
            "P012",
            "error",
            "parameters.final_answer.deep[1]",
        )
        assert finding.message and finding.hint

    def test_each_place_is_a_finding_and_the_others_are_still_checked(self):
        findings = check(answer(0, ["${", "${{ 1 + }}", "${missing}"]))
        assert [(finding.code, finding.path) for finding in findings] == [
            ("P005", "parameters.final_answer[2]"),
            ("P012", "parameters.final_answer[0]"),
            ("P012", "parameters.final_answer[1]"),
        ]

    def test_conditions_and_prompts_are_checked(self):
        prompt = {"condition_prompt": "${", "context": "${x", "jump_if_true": 2, "jump_if_false": 2}
        found = codes(branch(0, "len(", 1), {"seq_no": 1, "type": "jmp", "parameters": prompt}, answer(2))
        assert found == ["P012", "P012", "P012"]


# Faults sown into plans that are known to be good.


@st.composite
def good_plans(draw):
    """Steps of a valid plan: straight parts, branches that meet again, loops with a counter, handled calls."""
    steps = [assign(0, v0=draw(st.integers(-5, 5)), names=["a", "b"], i=0)]
    known = ["v0"]
    for part in draw(
        st.lists(
            st.sampled_from(["assign", "call", "each", "branch", "loop", "goto", "text"]),
            min_size=1,
            max_size=8,
        )
    ):
        _PARTS[part](steps, known, draw)
    steps.append(
        answer(len(steps), {"result": f"${{{known[-1]}}}", "all": [f"${{{name}}}" for name in known]})
    )
    stride = draw(st.sampled_from([1, 10]))
    return renumbered(steps, stride)


def renumbered(steps, stride):
    text = json.loads(json.dumps(steps))
    for step in text:
        step["seq_no"] *= stride
        parameters = step["parameters"]
        for key in ("target_seq", "jump_if_true", "jump_if_false"):
            if key in parameters and step["type"] == "jmp":
                parameters[key] *= stride
        if isinstance(parameters.get("on_error"), dict):
            parameters["on_error"] = {"goto": parameters["on_error"]["goto"] * stride}
    return text


def fresh(known):
    known.append(f"v{len(known)}")
    return known[-1]


def add_assign(steps, known, draw):
    source = draw(st.sampled_from(known))
    value = draw(
        st.sampled_from(
            [f"${{{source}}} + 1", f"${{{{ [{source}] }}}}", f"it is ${{{source}}}", [1, f"${{{source}}}"]]
        )
    )
    steps.append(assign(len(steps), **{fresh(known): value}))


def add_call(steps, known, draw):
    source = draw(st.sampled_from(known))
    params = draw(st.sampled_from([
        {"query": f"${{{source}}}", "limit": 3},
        {"query": f"about ${{{source}}}", "fields": [f"${{{source}}}", "b"], "options": {"mode": "word"}},
    ]))  # fmt: skip
    steps.append(calling(len(steps), "search", params, fresh(known), retry={"max_attempts": 2}))


def add_each(steps, known, draw):
    params = {"path": "${item}-${index}"}
    steps.append(
        calling(
            len(steps), "read_file", params, {fresh(known): "lines"}, for_each="${names}", on_error="continue"
        )
    )


def add_branch(steps, known, draw):
    at, source, name = len(steps), draw(st.sampled_from(known)), fresh(known)
    steps += [
        branch(at, f"{source} != 1", at + 3),
        assign(at + 1, **{name: 1}),
        jump(at + 2, at + 4),
        assign(at + 3, **{name: 2}),
    ]


def add_loop(steps, known, draw):
    at = len(steps)
    steps += [assign(at, i="${i} + 1"), branch(at + 1, "i < 3", at, at + 2 if draw(st.booleans()) else None)]


def add_goto(steps, known, draw):
    at, name = len(steps), fresh(known)
    steps += [
        calling(at, "read_file", {"path": "a"}, {name: "text"}, on_error={"goto": at + 2}),
        jump(at + 1, at + 3),
        assign(at + 2, **{name: "${error.message}"}),
    ]


def add_text(steps, known, draw):
    steps.append(
        {"seq_no": len(steps), "type": "reasoning", "parameters": {"chain_of_thoughts": "so ${far}"}}
    )


_PARTS = {
    "assign": add_assign,
    "call": add_call,
    "each": add_each,
    "branch": add_branch,
    "loop": add_loop,
    "goto": add_goto,
    "text": add_text,
}


def with_front(steps, *front):
    """The steps with others before them, numbers and jumps moved along."""
    shift = len(front)
    moved = renumbered([*steps], 1)
    for step in moved:
        step["seq_no"] += shift
        parameters = step["parameters"]
        for key in ("target_seq", "jump_if_true", "jump_if_false"):
            if key in parameters and step["type"] == "jmp":
                parameters[key] += shift
        if isinstance(parameters.get("on_error"), dict):
            parameters["on_error"] = {"goto": parameters["on_error"]["goto"] + shift}
    return [*front, *moved]


SOWN = {
    "P001": lambda steps: [*steps[:-1], {**steps[-1], "type": "asign"}],
    "P002": lambda steps: [assign(0, x=1), *steps],
    "P003": lambda steps: with_front(steps, branch(0, "true", 10_001)),
    "P004": lambda steps: [*steps, answer(steps[-1]["seq_no"] + 1)],
    "P005": lambda steps: with_front(steps, assign(0, x="${nowhere}")),
    "P006": lambda steps: with_front(steps, branch(0, "true", 2), assign(1, some=1), assign(2, x="${some}")),
    "P007": lambda steps: with_front(steps, calling(0, "serch", {"query": "x"})),
    "P008": lambda steps: with_front(steps, calling(0, "search", {"query": ["x"]})),
    "P009": lambda steps: with_front(steps, calling(0, "list_files", {"path": "."}, {"x": "key"})),
    "P010": lambda steps: with_front(steps, branch(0, "true", 2), jump(1, 1)),
    "P011": lambda steps: [*steps[:-1], {**steps[-1], "parameters": {"answer": 1}}],
    "P012": lambda steps: with_front(steps, assign(0, x="${{ exec('x') }}")),
}


@given(good_plans())
def test_a_good_plan_has_no_finding(steps):
    assert check_text(json.dumps(steps), TOOLS)[1] == []


@given(good_plans(), st.sampled_from(sorted(SOWN)))
def test_a_fault_sown_into_a_good_plan_is_found_and_nothing_else(steps, code):
    findings = check_text(json.dumps(SOWN[code](steps)), TOOLS)[1]
    assert {finding.code for finding in findings} == {code}


_WORDS = ["${a}", "x${a}", "object", "string", "#", "#/$defs/a"]
_KEYWORDS = [
    "type",
    "properties",
    "required",
    "anyOf",
    "allOf",
    "$ref",
    "items",
    "enum",
    "const",
    "a",
    "$defs",
]
_KEYWORDS += ["additionalProperties", "minimum"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4) | st.sampled_from(_WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYWORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(anything, st.dictionaries(st.sampled_from(["a", "b", "type"]), anything, max_size=2))
def test_whatever_the_schema_and_the_arguments_the_check_ends(schema, params):
    tools = Tools((ToolSignature("odd", schema, schema),))
    findings = check(calling(0, "odd", params, {"x": "a.b[0]", "y": "[1]"}), answer(1), tools=tools)
    assert {finding.code for finding in findings} <= {"P005", "P008", "P009"}


_simple = st.recursive(
    st.sampled_from(
        [{}, TEXT, {"type": "integer", "minimum": 0}, {"enum": ["a", 1]}, {"type": "number"}, {"const": 1}]
    ),
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda ways: {"anyOf": ways}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(lambda one, two: closed({"a": one, "b": two}, ["a"]), inner, inner)
    ),
    max_leaves=4,
)


@given(_simple, _simple, st.dictionaries(st.sampled_from("abc"), anything, max_size=3))
def test_the_quick_way_never_lets_through_what_the_close_look_refuses(one, two, params):
    close = ArgumentCheck(ToolSignature("t", closed({"a": one, "b": two}, ["a"])))
    fits = close.quick is not None and close.quick(params)
    close.quick = None
    assert not (fits and close.faults(params))


def test_ten_thousand_steps_take_no_more_than_their_share():
    """Not the bench: only that nothing grows with the square of the plan."""

    def seconds(size):
        steps = [assign(0, v0=0)]
        for seq_no in range(1, size):
            steps.append(
                calling(seq_no, "search", {"query": f"${{v{seq_no - 1}}}"}, f"v{seq_no}")
                if seq_no % 2
                else assign(seq_no, **{f"v{seq_no}": f"${{v{seq_no - 1}}}"})
            )
        program = plan(*steps, answer(size))
        gc.collect()
        gc.disable()  # it would look through what all other tests left behind
        try:
            begun = time.process_time()
            assert check_plan(program, TOOLS) == []
            return time.process_time() - begun
        finally:
            gc.enable()

    assert seconds(10_000) < 40 * max(seconds(1_000), 0.01)
