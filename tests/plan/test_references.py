"""Templates: what is filled in, what stays, and what is refused before anything runs."""

from __future__ import annotations

import copy
import json
import re
import time
from collections import ChainMap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ExpressionFailed, ReferenceFailed
from app.plan.expressions import ExpressionSyntaxError
from app.plan.references import (
    Reference,
    TemplateSyntaxError,
    compile_assign_value,
    compile_template,
    reads_of,
)

VARIABLES: dict[str, Any] = {
    "n": 3,
    "half": 0.5,
    "name": "Ada",
    "flag": True,
    "nothing": None,
    "rows": [{"id": 1, "odd key": "x"}, {"id": 2}],
    "row": {"b": [1, None], "a": {"k": "v"}},
}


def resolved(value: Any) -> Any:
    return compile_template(value).resolve(VARIABLES)


def assigned(value: Any) -> Any:
    return compile_assign_value(value).resolve(VARIABLES)


class TestWholeReferences:
    @pytest.mark.parametrize("name", list(VARIABLES))
    def test_the_very_object_is_given(self, name: str) -> None:
        assert resolved(f"${{{name}}}") is VARIABLES[name]

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("${rows[0].id}", 1),
            ("${rows[-1].id}", 2),
            ("${row.a.k}", "v"),
            ('${rows[0]["odd key"]}', "x"),
            ("${rows[0]['odd key']}", "x"),
            ("${ n }", 3),
            ("${{ n + 1 }}", 4),
            ('${{ {"a": {"b": n}} }}', {"a": {"b": 3}}),
            ('${{ "}}" }}', "}}"),
        ],
    )
    def test_paths_and_expressions_keep_the_type(self, text: str, value: Any) -> None:
        assert resolved(text) == value
        assert compile_template(text).whole

    def test_space_around_makes_it_a_text(self) -> None:
        assert resolved(" ${n}") == " 3"
        assert not compile_template(" ${n}").whole


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("Hello ${name}!", "Hello Ada!"),
            ("${n}${n}", "33"),
            ("${flag} ${nothing} ${half}", "true null 0.5"),
            ("= ${row}", '= {"a": {"k": "v"}, "b": [1, null]}'),
            ("${{ n * 2 }} and ${name}", "6 and Ada"),
            ("ä${name}ß", "äAdaß"),
            ("$n $ {n} $$ n}", "$n $ {n} $$ n}"),
        ],
    )
    def test_values_are_written_into_the_text(self, text: str, value: str) -> None:
        assert resolved(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("$${n}", "${n}"),
            ("$${", "${"),
            ("a $${n} ${n}", "a ${n} 3"),
            ("$$${n}", "$${n}"),
            ("$${{ 1 }}", "${{ 1 }}"),
        ],
    )
    def test_an_escaped_reference_is_literal(self, text: str, value: str) -> None:
        assert resolved(text) == value

    def test_what_a_variable_holds_is_never_expanded(self) -> None:
        assert compile_template("${a} ${b}").resolve({"a": "${b}", "b": 1}) == "${b} 1"

    def test_an_object_is_written_the_same_whatever_the_order_of_its_keys(self) -> None:
        template = compile_template("${x}.")
        assert template.resolve({"x": {"b": 1, "a": 2}}) == template.resolve({"x": {"a": 2, "b": 1}})


class TestNestedValues:
    def test_references_are_found_at_any_depth(self) -> None:
        value = {"a": ["${n}", {"b": "x${n}", "c": 1}], "d": None}
        assert resolved(value) == {"a": [3, {"b": "x3", "c": 1}], "d": None}

    def test_keys_are_never_templates(self) -> None:
        assert resolved({"${n}": "${n}"}) == {"${n}": 3}

    def test_the_plan_is_not_changed(self) -> None:
        value = {"a": ["${n}"], "b": {"c": "${row}"}}
        before = copy.deepcopy(value)
        resolved(value)
        assert value == before

    def test_constant_parts_are_the_plans_own_objects(self) -> None:
        constant = {"x": [1]}
        assert resolved(["${n}", constant])[1] is constant

    def test_constants_are_given_out_as_they_are(self) -> None:
        for value in [{"a": [1, "text", None]}, [], "text", 5, None, True]:
            template = compile_template(value)
            assert template.is_constant
            assert template.resolve({}) is value

    def test_an_escape_alone_is_constant(self) -> None:
        template = compile_template({"a": ["$${n}", 1]})
        assert template.is_constant
        assert template.resolve({}) == {"a": ["${n}", 1]}
        assert template.resolve({}) is template.resolve({})

    def test_more_than_a_hundred_levels_are_refused(self) -> None:
        value: Any = "${n}"
        for _ in range(100):
            value = [value]
        assert compile_template(value).reads == {"n"}
        with pytest.raises(TemplateSyntaxError, match="levels"):
            compile_template([value])


class TestWhatIsRead:
    def test_names_in_references_and_expressions(self) -> None:
        template = compile_template({"x": "${a.b} ${c}", "y": ["${{ d + len(e) }}", "$${f}"]})
        assert template.reads == {"a", "c", "d", "e"}

    def test_references_have_their_path_and_text(self) -> None:
        template = compile_template(["${a.b[0]}", "${{ c }}"])
        assert template.references == (Reference("a", ("b", 0), "${a.b[0]}"), Reference("c", (), "${{ c }}"))

    def test_any_mapping_can_hold_the_variables(self) -> None:
        assert compile_template("${item.id}").resolve(ChainMap({"item": {"id": 5}}, VARIABLES)) == 5


class TestFailures:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("${missing}", r"\$\{missing\}: variable 'missing' is not set; the variables are .*\bname\b"),
            ("x ${nam}", r"\$\{nam\}: variable 'nam' is not set; the variables are name, "),
            ("${row.c}", r"\$\{row\.c\}: no key 'c'; the keys are a, b"),
            ("${rows[2]}", r"\$\{rows\[2\]\}: no index 2; there are 2 items"),
            ("${n.x}", "a number has no key 'x'"),
            ("${rows.x}", "a list has no key 'x'"),
            ("${row[0]}", "an object has no index 0"),
            ("${name[0]}", "no index|text has no"),
            ("${{ missing }}", "variable 'missing' is not set"),
        ],
    )
    def test_what_is_not_there_is_named_with_what_is(self, text: str, message: str) -> None:
        with pytest.raises(ReferenceFailed, match=message):
            resolved(text)

    def test_at_most_ten_variables_are_listed(self) -> None:
        with pytest.raises(ReferenceFailed, match="and 4990 more") as caught:
            compile_template("${x}").resolve({f"v{number}": 0 for number in range(5_000)})
        assert len(caught.value.message) < 200

    def test_without_any_variables_it_says_so(self) -> None:
        with pytest.raises(ReferenceFailed, match="there are no variables"):
            compile_template("${x}").resolve({})

    def test_the_message_does_not_depend_on_the_order_of_the_variables(self) -> None:
        names = [f"v{number}" for number in range(30)]
        messages = set()
        for order in (names, names[::-1]):
            with pytest.raises(ReferenceFailed) as caught:
                compile_template("${w}").resolve(dict.fromkeys(order))
            messages.add(caught.value.message)
        assert len(messages) == 1

    def test_a_value_nested_too_deeply_for_a_text_is_refused(self) -> None:
        value: Any = 1
        for _ in range(50_000):
            value = [value]
        with pytest.raises(ExpressionFailed):
            compile_template("x ${v}").resolve({"v": value})

    def test_a_text_that_would_be_huge_is_refused(self) -> None:
        value: Any = [0]
        for _ in range(60):
            value = [value, value]
        with pytest.raises(ExpressionFailed, match="limit"):
            compile_template("x ${v}").resolve({"v": value})

    def test_many_texts_of_one_value_share_one_limit(self) -> None:
        with pytest.raises(ExpressionFailed, match="limit"):
            compile_template(["${v}!"] * 1_000).resolve({"v": "x" * 1_000_000})


class TestSyntaxErrors:
    @pytest.mark.parametrize(
        ("text", "position"),
        [
            ("${", 0),
            ("${}", 0),
            ("${ }", 0),
            ("a ${1x}", 2),
            ("${a", 0),
            ("${a.}", 0),
            ("${a..b}", 0),
            ("${a[]}", 0),
            ("${a[x]}", 0),
            ("${a[1}", 0),
            ("${a[${i}]}", 0),
            ("${a b}", 0),
            ("${a-b}", 0),
            ("${ä}", 0),
            ("${n} ${{ n", 5),
            ("${" + "a" * 129 + "}", 0),
        ],
    )
    def test_a_malformed_reference_is_refused_when_compiled(self, text: str, position: int) -> None:
        with pytest.raises(TemplateSyntaxError) as caught:
            compile_template({"x": [text]})
        assert (caught.value.text, caught.value.position) == (text, position)
        assert caught.value.hint

    @pytest.mark.parametrize(
        "text", ["${{ }}", "${{ a + }}", "${{ nope(1) }}", "x ${{ a.b }}", "${{ ${a} }}"]
    )
    def test_a_malformed_expression_is_refused_when_compiled(self, text: str) -> None:
        with pytest.raises(ExpressionSyntaxError):
            compile_template(text)

    def test_an_expression_that_ends_too_late_is_told_the_limit(self) -> None:
        with pytest.raises(TemplateSyntaxError, match="within 10,000 characters"):
            compile_template("${{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}")

    def test_an_index_from_a_variable_gets_the_right_hint(self) -> None:
        with pytest.raises(TemplateSyntaxError) as caught:
            compile_template("${a[${i}]}")
        assert "${{ items[i] }}" in (caught.value.hint or "")

    @pytest.mark.parametrize(
        "text",
        [
            "${{ '" + "\\'" * 1_000_000,
            "${{ " + '"' * 1_000_001,
            "${{" * 500_000,
            "${a[" * 500_000,
            "${" + " " * 2_000_000,
        ],
    )
    def test_endless_texts_are_refused_quickly(self, text: str) -> None:
        begun = time.process_time()
        with pytest.raises(TemplateSyntaxError):
            compile_template(text)
        assert time.process_time() - begun < 2

    @pytest.mark.parametrize(
        "text", ["(" * 100_000 + "${n}", "${n} + " * 100_000, "${n} + 1 " + " " * 100_000 + "x"]
    )
    def test_endless_calculations_are_read_quickly(self, text: str) -> None:
        begun = time.process_time()
        assert type(assigned(text)) is str
        assert time.process_time() - begun < 4


class TestOlderArithmetic:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("${n} / 3 + ${half}", 1.5),
            ("${n} * -1", -3),
            ("${n} // 2", 1),
            ("${n} % 2", 1),
            ("${n} ** 2", 9),
            ("2 * ${n}", 6),
            ("(${n} + 1) * 2", 8),
            ("${rows[1].id} - ${n}", -1),
            (" ${n} + 1 ", 4),
            ("${n} + 1e3", 1003.0),
        ],
    )
    def test_numbers_are_calculated(self, text: str, value: Any) -> None:
        assert assigned(text) == value
        assert compile_assign_value(text).whole

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("2024-11-15", "2024-11-15"),
            ("1 + 2", "1 + 2"),
            ("${n}-${n}", "3-3"),
            ("${n}- ${n}", "3- 3"),
            ("${name} - ${n}", "Ada - 3"),
            ("${flag} + 1", "true + 1"),
            ("${nothing} + 1", "null + 1"),
            ("${n} + x", "3 + x"),
            ("${n} +", "3 +"),
            ("${n}", 3),
            ("(${n} + 1", "(3 + 1"),
            ("${{ n }} + 1", "3 + 1"),
            ("${n}\n+ 1", "3\n+ 1"),
            ("${n} + r0", "3 + r0"),
        ],
    )
    def test_everything_else_is_a_text(self, text: str, value: Any) -> None:
        assert assigned(text) == value

    def test_only_an_assigned_text_is_calculated_not_one_within_a_list(self) -> None:
        assert assigned(["${n} + 1"]) == ["3 + 1"]
        assert resolved("${n} + 1") == "3 + 1"

    def test_a_division_by_zero_names_the_text_of_the_plan(self) -> None:
        with pytest.raises(ExpressionFailed, match=r"\$\{n\} / 0"):
            assigned("${n} / 0")

    def test_a_missing_variable_is_named(self) -> None:
        with pytest.raises(ReferenceFailed, match="missing"):
            assigned("${n} + ${missing}")

    def test_it_reads_its_references(self) -> None:
        assert compile_assign_value("${a} + ${b.c}").reads == {"a", "b"}


PIECES = st.sampled_from(
    ["${", "${{", "$${", "}", "}}", "$", "{", "n", "rows[0]", ".id", "[", "]", '"', "'", " ", "+", "1", "\\"]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=10).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_any_value_resolves_or_gives_our_errors(value: Any) -> None:
    for compile_value in (compile_template, compile_assign_value):
        try:
            template = compile_value(value)
            result = template.resolve(VARIABLES)
        except (TemplateSyntaxError, ExpressionSyntaxError, ReferenceFailed, ExpressionFailed) as error:
            assert error.message
        else:
            json.dumps(result, allow_nan=False)
            assert template.reads <= set(VARIABLES)


@given(st.text(max_size=30))
def test_an_escaped_text_comes_out_as_it_was(text: str) -> None:
    assert resolved(text.replace("${", "$${")) == text or "$${" in text


@given(st.text(alphabet="ab $%{}", max_size=10), st.text(max_size=5))
def test_a_variable_stands_where_its_reference_stood(around: str, value: str) -> None:
    if "${" not in around and not around.endswith("$"):
        assert compile_template(f"{around}${{v}}.").resolve({"v": value}) == f"{around}{value}."


@given(VALUES)
def test_what_a_value_reads_is_what_its_template_reads(value: Any) -> None:
    try:
        reads = compile_template(value).reads
    except (TemplateSyntaxError, ExpressionSyntaxError) as error:
        with pytest.raises(type(error), match=re.escape(error.message)):
            reads_of(value)
    else:
        assert reads_of(value) == reads


SPACES = st.sampled_from(["", " ", "\n", "\t "])


@given(SPACES, st.sampled_from(["n", "rows[0].id", "_a9", "n.k"]), SPACES)
def test_a_reference_is_the_same_however_it_is_spaced(before: str, path: str, after: str) -> None:
    spaced, plain = compile_template(f"${{{before}{path}{after}}}"), compile_template(f"${{{path}}}")
    assert type(spaced) is type(plain)
    assert [(each.name, each.path) for each in spaced.references] == [
        (each.name, each.path) for each in plain.references
    ]
    assert spaced.reads == plain.reads


@pytest.mark.parametrize("text", ["${{ n + 1 }}", "${{n+1}}", "${{\nn + 1 }}", "${{ n + {'k': 1}['k'] }}"])
def test_an_expression_is_the_same_however_it_is_found(text: str) -> None:
    template = compile_template(text)
    assert template.whole
    assert template.reads == {"n"}
    assert template.references == (Reference("n", (), text),)
    assert template.resolve({"n": 2}) == 3
