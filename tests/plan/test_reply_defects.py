"""What models send instead of a plan, by name, each with what is done: taken as it is, repaired, or sent back.

A repair is named, for the record. What has two readings goes back to the model with what is wrong: no guess.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from checker_samples import Tools
from hypothesis import given, settings
from hypothesis import strategies as st

from app.plan.check import check_plan
from app.plan.findings import has_errors
from app.plan.json_text import JsonTextError
from app.plan.parse import plan_from_json
from app.plan.problems import PlanSyntaxError
from app.plan.repair import repair_json, repair_plan

TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS: Final = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e9, 1e9) | TEXTS

STEPS: Final[list[dict[str, Any]]] = [
    {
        "seq_no": 1,
        "type": "calling",
        "description": "it's the notes",
        "parameters": {
            "tool_name": "read_file",
            "tool_params": {"path": "notes.txt"},
            "output_vars": "notes",
        },
    },
    {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "${notes.text}", "ok": True, "no": None}},
]
PLAN: Final = {"version": 1, "reasoning": "read, then answer", "steps": STEPS}
TEXT: Final = json.dumps(PLAN)
PRETTY: Final = json.dumps(PLAN, indent=2)
OTHER: Final = TEXT.replace("notes.txt", "other.txt")


def steps(*changes: tuple[int, str, Any]) -> str:
    """The plan's text with fields of its steps changed."""
    document = json.loads(TEXT)
    for index, key, value in changes:
        document["steps"][index][key] = value
    return json.dumps(document)


TAKEN: Final = {
    "plain": TEXT,
    "indented": PRETTY,
    "a byte order mark": "\ufeff" + TEXT,
    "empty lines around it": f"\n\n{TEXT}\n\n",
    "the bare list of steps": json.dumps(STEPS),
    "steps renumbered with gaps": steps((0, "seq_no", 10), (1, "seq_no", 20)),
    "a text that holds tags and fences": TEXT.replace("it's", "<think>x</think> ``` </think> [1] {a}"),
}

REPAIRED: Final = {
    "fenced": (f"```json\n{PRETTY}\n```", ["code fence"]),
    "fenced without a language": (f"```\n{TEXT}\n```", ["code fence"]),
    "fenced and never closed": (f"```json\n{TEXT}", ["code fence"]),
    "fenced with waves": (f"~~~json\n{TEXT}\n~~~", ["code fence"]),
    "half a sentence before": (f"Here is the plan: {TEXT}", ["surrounding text"]),
    "a sentence after": (f"{TEXT}\nGood luck!", ["surrounding text"]),
    "a sentence, then a fence": (f"Sure!\n```json\n{TEXT}\n```\nDone.", ["code fence", "surrounding text"]),
    "a language without its fence": (f"json\n{TEXT}", ["surrounding text"]),
    "answer tags": (f"<answer>{TEXT}</answer>", ["surrounding text"]),
    "an answer tag that is never closed": (f"<answer>{TEXT}", ["surrounding text"]),
    "a draft before the answer tags": (f"Draft: {OTHER} <answer>{TEXT}</answer>", ["surrounding text"]),
    "citations around it": (f"As [1] and {{x}} say: {TEXT} [2]", ["surrounding text"]),
    "a tool's result quoted before": (f'It gave {{"rows": 3}}, so: {TEXT}', ["surrounding text"]),
    "one closing bracket too many": (TEXT + "}", ["surrounding text"]),
    "the same plan twice": (f"{TEXT}\nOnce more:\n{PRETTY}", ["surrounding text"]),
    "thinking tags": (f"<think>Hm, {{maybe}} [1].</think>\n{TEXT}", ["thinking"]),
    "another plan while thinking": (f"<thinking>{OTHER}</thinking>{TEXT}", ["thinking"]),
    "only the end of the thinking": (f"Hm, let me see.\n</think>\n{TEXT}", ["thinking"]),
    "thinking, then fenced": (f"<think>x</think>\n```json\n{TEXT}\n```", ["thinking", "code fence"]),
    "trailing commas": (TEXT.replace("}}", "},}").replace("}]", "},]"), ["trailing comma"]),
    "a comma missing between steps": (TEXT.replace("}}, {", "}} {"), ["missing comma"]),
    "a comma missing at the end of a line": (
        PRETTY.replace('"version": 1,', '"version": 1'),
        ["missing comma"],
    ),
    "single quotes": (TEXT.replace("it's", r"it\'s").replace('"', "'"), ["single quotes"]),
    "written by Python": (repr(PLAN), ["single quotes", "Python constant"]),
    "constants of Python": (TEXT.replace("true", "True").replace("null", "None"), ["Python constant"]),
    "keys without quotes": (TEXT.replace('"seq_no"', "seq_no").replace('"steps"', "steps"), ["unquoted key"]),
    "typographic quotes": (TEXT.replace('"version"', "“version”"), ["typographic quotes"]),
    "comments of JavaScript": (PRETTY.replace("[", "[ // the steps\n /* two */", 1), ["comment"]),
    "comments of Python": (PRETTY.replace("[", "[ # the steps\n", 1), ["comment"]),
    "spaces that are none": (TEXT.replace(": [", ":\u00a0\u200b["), ["odd space"]),
    "an apostrophe escaped": (TEXT.replace("it's", r"it\'s"), ["escaped apostrophe"]),
    "encoded twice": (json.dumps(TEXT), ["JSON inside a text"]),
    "everything at once": (
        "<think>{</think>Plan:\n```json\n"
        + repr(PLAN).replace("[", "[ # go\n", 1).replace("}]", "},]")
        + "\n```",
        [
            "thinking",
            "code fence",
            "surrounding text",
            "single quotes",
            "comment",
            "Python constant",
            "trailing comma",
        ],
    ),
}

SENT_BACK_BY_FORM: Final = {
    "nothing": ("", "the reply is empty"),
    "blanks": (" \n ", "the reply is empty"),
    "a refusal": ("I'm sorry, I can't help with that.", "no JSON plan"),
    "a question": ("Which file do you mean?", "no JSON plan"),
    "another document": ('{"answer": 42}', "answer"),
    "a plan in YAML": ("steps:\n- seq_no: 1\n  type: assign", "no JSON plan"),
    "wrapped in another object": (json.dumps({"plan": STEPS}), "plan"),
    "a tool call": (json.dumps({"name": "submit", "arguments": TEXT}), "name"),
    "the thinking never ends": (f"<think>Perhaps {TEXT}", "still thinking"),
    "a plan only while thinking": (f"<think>{TEXT}</think> I'd rather not.", "no JSON plan"),
    "cut off in a text": (TEXT[:150], "cut off"),
    "cut off between steps": (TEXT[: TEXT.index("}}, {") + 3], "cut off"),
    "the last brackets missing": (TEXT[:-2], "cut off"),
    "cut off within a fence": (f"```json\n{PRETTY[:200]}\n```", ""),
    "two plans": (f"{TEXT}\nor\n{OTHER}", "several different"),
    "two plans in two fences": (f"```json\n{TEXT}\n```\n```json\n{OTHER}\n```", "several different"),
    "two answers": (f"<answer>{TEXT}</answer><answer>{OTHER}</answer>", "several different"),
    "a plan in two parts": (f"{json.dumps(STEPS[:1])}\n{json.dumps(STEPS[1:])}", "several different"),
    "a broken plan beside a good one": (f'[{{"seq_no": 0, oops}}]\n{TEXT}', "expected"),
    "steps left out": (TEXT.replace("}}, {", "}}, ..., {"), "left out"),
    "the rest left out": (TEXT.replace("}}]", "}}, …]"), "left out"),
    "quotes within quotes": (TEXT.replace("it's the notes", 'it\'s "the" notes'), "expected"),
    "an apostrophe within single quotes": (TEXT.replace('"', "'"), "expected"),
    "a reference without quotes": (TEXT.replace('"${notes.text}"', "${notes.text}"), "expected a value"),
    "texts added up": (TEXT.replace('"notes.txt"', '"notes" + ".txt"'), "expected"),
    "a key twice": (TEXT.replace('"version": 1', '"version": 1, "version": 1'), "twice"),
    "a key twice in a repaired plan": (TEXT.replace('"version": 1', '"version": 1, version: 1'), "twice"),
    "a number that is none": (TEXT.replace("true", "NaN"), "finite"),
    "an escape that is none": (TEXT.replace("notes.txt", r"notes\d.txt"), "escape"),
    "two commas": (TEXT.replace("}}, {", "}},, {"), "expected"),
    "entities of HTML": (TEXT.replace('"', "&quot;"), "no JSON plan"),
    "an unknown type of step": (steps((0, "type", "call")), "did you mean calling"),
    "a type in capitals": (steps((0, "type", "Calling")), "unknown type of step"),
    "a step number in quotes": (steps((0, "seq_no", "1")), "seq_no"),
    "parameters encoded as a text": (steps((1, "parameters", '{"final_answer": "x"}')), "parameters"),
    "steps as an object": (json.dumps({"steps": {"1": STEPS[0]}}), "steps"),
    "no steps": ('{"version": 1, "steps": []}', "without steps"),
    "nested without end": ("[" * 5_000 + "]" * 5_000, "no JSON plan"),
}

SENT_BACK_BY_CHECK: Final = {
    "steps renumbered twice the same": (steps((1, "seq_no", 1)), "P002"),
    "steps out of order": (steps((0, "seq_no", 3)), "P002"),
    "a jump to nowhere": (steps((1, "type", "jmp"), (1, "parameters", {"target_seq": 9})), "P003"),
    "a variable nobody sets": (steps((1, "parameters", {"final_answer": "${nots}"})), "P005"),
    "a tool that was made up": (TEXT.replace("read_file", "open_file"), "P007"),
}


def test_there_are_at_least_forty_defects() -> None:
    assert len(REPAIRED) + len(SENT_BACK_BY_FORM) + len(SENT_BACK_BY_CHECK) >= 40


@pytest.mark.parametrize("name", TAKEN)
def test_taken_as_it_is(name: str) -> None:
    repaired = repair_plan(TAKEN[name])
    assert repaired.repairs == ()
    assert not has_errors(check_plan(plan_from_json(repaired.value), Tools()))


@pytest.mark.parametrize("name", REPAIRED)
def test_repaired_and_said_so(name: str) -> None:
    text, repairs = REPAIRED[name]
    repaired = repair_plan(text)
    assert repaired.value == PLAN
    assert list(repaired.repairs) == repairs
    assert not has_errors(check_plan(plan_from_json(repaired.value), Tools()))


@pytest.mark.parametrize("name", SENT_BACK_BY_FORM)
def test_sent_back_for_its_form(name: str) -> None:
    text, said = SENT_BACK_BY_FORM[name]
    with pytest.raises(PlanSyntaxError) as caught:
        plan_from_json(repair_plan(text).value)
    assert said in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", SENT_BACK_BY_CHECK)
def test_sent_back_with_the_checkers_findings(name: str) -> None:
    text, code = SENT_BACK_BY_CHECK[name]
    repaired = repair_plan(text)
    findings = check_plan(plan_from_json(repaired.value), Tools())
    assert code in {finding.code for finding in findings if finding.severity == "error"}


class TestAnyDocument:
    """The same for structured replies that are no plans."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('{"result": true}', {"result": True}),
            ("[]", []),
            ("```json\n[1, 2]\n```", [1, 2]),
            ('See [1]. {"result": true}', {"result": True}),
            ("{'text': 'line\none'}", {"text": "line\none"}),
            ("{\"emoji\": \"\\ud83d\\ude00\", 'e': '\\ud83d\\ude00'}", {"emoji": "😀", "e": "😀"}),
            ("{'quote': 'say \"hi\"'}", {"quote": 'say "hi"'}),
            ('{"url": "http://a//b#c" /* "x": 1 */}', {"url": "http://a//b#c"}),
            ('{"a": -1.5e3, b: [0, {}, [],],}', {"a": -1500.0, "b": [0, {}, []]}),
            ('{"a": 1, "b": 2} {"b": 2, "a": 1}', {"a": 1, "b": 2}),
        ],
    )
    def test_the_value_is_found(self, text: str, value: Any) -> None:
        assert repair_json(text).value == value

    @pytest.mark.parametrize(
        "text",
        [
            "true",
            '"yes"',
            "[1] or [2]",
            '{"a": 1} {"a": true}',
            '{"result": oops, "x": {"a": 1}}',
            '{"a": 1 {"b": 2}',
            '{"a": "x" "b": 1}',
            '["a" "b"]',
            '{"a": """long"""}',
            '{"a": 01}',
            '{"a": 1.}',
            '{"a": 1_000}',
            "{1: 2}",
            "{None: 2}",
            "{,}",
            '{"a": undefined}',
            '{"a": "\\ud800"}',
            "{'a': '\\ud800'}",
            '{"a": "\x00"}',
            "{'a': -Infinity}",
            '{"a": "\\u12"}',
            "{'a': " + "1" * 5_000 + "}",
            "{'a':" * 200 + "1" + "}" * 200,
        ],
    )
    def test_what_has_no_one_reading_is_refused(self, text: str) -> None:
        with pytest.raises(JsonTextError):
            repair_json(text)

    @pytest.mark.parametrize("text", ["[" * 300_000, '{"a":' * 200_000, "{x} " * 200_000, "[1 " * 200_000])
    def test_a_hostile_text_is_refused_soon(self, text: str) -> None:
        with pytest.raises(JsonTextError):
            repair_json(text)

    @settings(max_examples=100, deadline=None)
    @given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8))
    def test_plain_json_is_never_changed(self, value: Any) -> None:
        assert repair_json(json.dumps([value])).value == [value]
        assert repair_json(json.dumps([value])).repairs == ()
        assert repair_json(json.dumps([value], ensure_ascii=False, indent=1)).value == [value]

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="{}[]\"':,\\#/*tTrueNone1. \n\ufeff“”", max_size=60))
    def test_any_text_is_read_or_refused_by_name(self, text: str) -> None:
        try:
            value = repair_json(text).value
        except JsonTextError:
            return
        assert isinstance(value, list | dict)

    def test_a_reply_is_of_bounded_length(self) -> None:
        with pytest.raises(JsonTextError, match="too large"):
            repair_json("[" + "1," * 3_000_000 + "1]")
