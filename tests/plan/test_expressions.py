"""Expressions: their values, what they may not do, and that nothing they are given hurts."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ExpressionFailed, ReferenceFailed
from app.plan.expressions import FUNCTIONS, ExpressionSyntaxError, compile_expression

VARIABLES: dict[str, Any] = {
    "a": 7,
    "b": 2,
    "x": 0.5,
    "big": 10**4000,
    "text": "Some text",
    "empty": "",
    "items": [3, 1, 2],
    "names": ["b", "a"],
    "rows": [{"id": 2, "n": "x"}, {"id": 1, "n": "y"}],
    "row": {"b": 1, "a": [True, None]},
    "flag": True,
    "nothing": None,
}
SECONDS = 2.0


def value(text: str, **variables: Any) -> Any:
    return compile_expression(text).evaluate({**VARIABLES, **variables})


def fails(text: str, **variables: Any) -> str:
    begun = time.process_time()
    with pytest.raises(ExpressionFailed) as caught:
        value(text, **variables)
    assert time.process_time() - begun < SECONDS
    return caught.value.message


class TestValues:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a + b * 2", 11),
            ("a / b", 3.5),
            ("6 / 3", 2.0),
            ("a // b", 3),
            ("a % b", 1),
            ("-7 % 3", 2),
            ("2 ** 10", 1024),
            ("2 ** -1", 0.5),
            ("-a", -7),
            ("+a", 7),
            ("1e3 + .5", 1000.5),
            ("1 < a <= 7 != 8", True),
            ("1 < a < 3", False),
            ("a > 1 and b > 1", True),
            ("nothing or 'none'", "none"),
            ("not flag", False),
            ("3 in items", True),
            ("'zz' not in text", True),
            ("'a' in row", True),
            ("items[0]", 3),
            ("items[-1]", 2),
            ("text[0]", "S"),
            ("rows[0]['n']", "x"),
            ('row["a"][1]', None),
            ("items[1:]", [1, 2]),
            ("items[::-1]", [2, 1, 3]),
            ("text[:4]", "Some"),
            ("'yes' if flag else 'no'", "yes"),
            ("[1, a, [b]]", [1, 7, [2]]),
            ("{'k': a, text: [1]}", {"k": 7, "Some text": [1]}),
            ("items + [a]", [3, 1, 2, 7]),
            ("names * 2", ["b", "a", "b", "a"]),
            ("3 * 'ab'", "ababab"),
            ("'a' + \"b\"", "ab"),
            ("[true, True, false, False, null, None]", [True, True, False, False, None, None]),
            ("items == [3, 1, 2]", True),
            ("rows[0] == rows[1]", False),
            ("'a' < 'b'", True),
            ("[1, 2] < [1, 3]", True),
            ("'ä\\u00e4\\x41\\n\\\\'", "ääA\n\\"),
            ("'two\nlines'", "two\nlines"),
            ("(\n a\n + b\n)", 9),
            ("  a ", 7),
            ("1 ** 999999999999", 1),
            ("(-1) ** 999999999999", -1),
        ],
    )
    def test_it_gives(self, text: str, expected: Any) -> None:
        result = value(text)
        assert result == expected
        assert type(result) is type(expected)

    def test_the_side_not_taken_is_not_evaluated(self) -> None:
        assert value("1 if flag else missing") == 1
        assert value("flag or missing") is True
        assert value("nothing and missing") is None

    def test_elements_are_shared_never_copied(self) -> None:
        rows = VARIABLES["rows"]
        longer = value("rows + [row]")
        assert longer[0] is rows[0]
        assert longer[-1] is VARIABLES["row"]
        assert value("rows[1:]")[0] is rows[1]
        assert value("rows") is rows
        assert value("sorted(rows, 'id')")[0] is rows[1]

    def test_variables_are_not_changed(self) -> None:
        before = json.dumps(VARIABLES)
        for text in ("items + [1]", "sorted(items)", "items[::-1]", "[items, row]"):
            value(text)
        assert json.dumps(VARIABLES) == before


class TestReads:
    def test_variables_but_not_functions_or_constants(self) -> None:
        assert compile_expression("len(a) + b if true else null").reads == {"a", "b"}

    def test_a_variable_may_be_called_like_a_function(self) -> None:
        assert compile_expression("len(len)").reads == {"len"}
        assert value("len(len)", len=[1]) == 1
        with pytest.raises(ReferenceFailed):
            value("len")

    def test_an_expression_is_compiled_once(self) -> None:
        assert compile_expression("a + 12345") is compile_expression("a + 12345")


class TestFailures:
    @pytest.mark.parametrize(
        "text",
        [
            "a / 0", "a // 0", "a % 0", "0 ** -1", "1.5 % 0", "a + text", "text + a", "a + nothing",
            "flag + 1", "-flag", "-text", "items - items", "text * 1.5", "text * text", "items * items",
            "'%s' % a", "text / 2", "a < text", "nothing < 1", "row < row", "1 in 5", "1 in text",
            "[1] in row", "nothing in nothing", "row[items:]", "row[1:2]", "a[1:2]", "items['a':]",
            "items[::0]", "{1: 2}", "{nothing: 1}", "{row: 1}", "(-8) ** 0.5", "1e308 * 10",
            "1e308 + 1e308", "-1e308 * 10", "1e308 ** 2", "10 ** 400 / 0.1", "10 ** 400 * 1.5",
            "big * big", "float(big)", "big / 3", "min([])", "max([1, 'a'])", "min(row)", "sum(names)",
            "sum([true])", "round(text)", "round(1.5, 0.5)", "round(1, 9999)", "int('1.5')", "int('0x1')",
            "int('1_0')", "int('٣')", "int('')", "int(items)", "float('nan')", "float('inf')",
            "float('1e999')", "lower(a)", "split(a)", "split(text, '')", "split(text, 1)", "join(a)",
            "join(items, 1)", "startswith(text, ['S'])", "sorted([1, 'a'])", "sorted(row)",
            "sorted([null, null])", "sorted(rows)", "keys(items)", "values(text)", "len(a)",
            "len(nothing)",
        ],
    )  # fmt: skip
    def test_what_has_no_value(self, text: str) -> None:
        assert text[:10] in fails(text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("missing + 1", "variable 'missing' is not set; the variables are a, b"),
            ("row['c']", r"row\['c'\]: no key 'c'; the keys are a, b"),
            ("items[a]", r"items\[a\]: no index 7; there are 3 items"),
            ("text[99]", "no index 99; there are 9 characters"),
            ("rows[0]['n']['x']", r"rows\[0\]\['n'\]\['x'\]: text has no key 'x'"),
            ("items['0']", "a list has no key '0'"),
            ("items[true]", "a list has no part of the type a boolean"),
            ("sorted(rows, 'zz')", "no key 'zz'"),
        ],
    )
    def test_what_is_not_there_is_a_failed_reference(self, text: str, message: str) -> None:
        with pytest.raises(ReferenceFailed, match=message):
            value(text)


class TestBombs:
    @pytest.mark.parametrize(
        "text",
        [
            "'a' * 10**9",
            "10**9 * 'a'",
            "[0] * 10**9",
            "'a' * 10**30",
            "9**9**9",
            "9**9**9**9",
            "(-9)**9**9",
            "2**99999 * 2**99999",
            "10**4214 * 100000",
            "[[0] * 1000] * 1000 * 1000",
            "[[[0] * 1000] * 1000] * 1000",
            "str([[0] * 2000] * 2000)",
            "json([['x' * 1000] * 1000] * 1000)",
            "join(['x' * 1000] * 10000, 'y' * 10000)",
            "join([''] * 1000, 'y' * 1000000)",
            "split('a,' * 9000000, ',')",
            "split('a ' * 9000000)",
            "+".join(["('a' * 9999999)"] * 5),
            "len(" + " + ".join(["items * 99999"] * 60) + ")",
            "sorted([1] * 3000000)",
            "upper('a' * 15000000) + lower('a' * 15000000)",
        ],
    )
    def test_they_fail_quickly(self, text: str) -> None:
        fails(text)

    def test_much_work_on_one_value_is_bounded(self) -> None:
        page = "x" * 5_000_000
        fails(" or ".join(["contains(page, 'y')"] * 90), page=page)
        fails(" or ".join(["page + 'y' == page"] * 80), page=page)
        fails("[" + ",".join(["sorted(items)"] * 500) + "]", items=list(range(100_000)))
        fails("[" + ",".join(["items == other"] * 500) + "]", items=[[0]] * 100_000, other=[[0]] * 100_000)

    def test_what_is_shared_counts_as_often_as_it_is_there(self) -> None:
        tree: Any = [0]
        for _ in range(60):
            tree = [tree, tree]
        other: Any = [0]
        for _ in range(60):
            other = [other, other]
        for text in (
            "str(tree)",
            "json(tree)",
            "tree == other",
            "tree * 2",
            "sorted([tree, other])",
            "tree in [other]",
        ):
            fails(text, tree=tree, other=other)

    def test_deep_nesting_is_no_crash(self) -> None:
        deep: Any = 1
        other: Any = 1
        for _ in range(100_000):
            deep, other = [deep], [other]
        for text in ("deep == other", "str(deep)", "deep < other"):
            fails(text, deep=deep, other=other)

    def test_the_limit_is_that_of_one_evaluation(self) -> None:
        for _ in range(5):
            assert len(value("'a' * 15000000")) == 15_000_000

    def test_a_long_list_can_still_be_appended_to(self) -> None:
        items = list(range(1_000_000))
        assert len(value("items + [1]", items=items)) == 1_000_001


class TestThreads:
    def test_evaluations_at_the_same_time_see_their_own_variables(self) -> None:
        expression = compile_expression("[n, len(text * n), n]")
        wrong: list[Any] = []

        def work(number: int) -> None:
            for _ in range(300):
                result = expression.evaluate({"n": number, "text": "ab"})
                if result != [number, 2 * number, number]:
                    wrong.append(result)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_small_expression_takes_microseconds() -> None:
    expression = compile_expression("a + b * 2")
    begun = time.process_time()
    for _ in range(1_000):
        expression.evaluate(VARIABLES)
    assert (time.process_time() - begun) / 1_000 < 100e-6


WORDS = [
    "and",
    "or",
    "not",
    "in",
    "if",
    "else",
    "is",
    "for",
    "lambda",
    "true",
    "null",
    "__class__",
    "f'",
    "'x'",
]
NUMBERS = ["1", "0", "1e308", "9999999"]
TOKENS = st.sampled_from(
    [
        *VARIABLES,
        *FUNCTIONS,
        *WORDS,
        *NUMBERS,
        *"+-*/%<>()[]{},:.=!&|^~@;#\\\"'",
        "**",
        "//",
        "==",
        "!=",
        "<=",
        " ",
        "\n",
    ]
)
NAMES = st.sampled_from(list(VARIABLES))
LITERALS = st.sampled_from(["0", "1", "-1", "2", "1.5", "99999", "'ab'", "''", "[]", "{}", "true", "null"])
BINARY = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", "==", "in", "not in", "and", "or", ">="])
UNARY = st.sampled_from(["-", "not ", *(f"{name}" for name in FUNCTIONS)])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, BINARY, inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(UNARY, inner).map(lambda parts: f"({parts[0]}({parts[1]}))"),
        st.tuples(st.sampled_from(list(FUNCTIONS)), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]}[{parts[1]}])"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]}[{parts[1]}:{parts[2]}])"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(inner, inner).map(lambda parts: f"{{{parts[0]}: {parts[1]}}}"),
    )


def _gives_json_or_our_errors(text: str) -> None:
    begun = time.process_time()
    try:
        result = compile_expression(text).evaluate(VARIABLES)
    except (ExpressionSyntaxError, ExpressionFailed, ReferenceFailed) as error:
        assert error.message
    else:
        json.dumps(result, allow_nan=False)
        assert type(result) in (type(None), bool, int, float, str, list, dict)
    assert time.process_time() - begun < SECONDS


@given(st.lists(TOKENS | st.text(max_size=2), max_size=15).map("".join))
def test_any_text_gives_json_or_our_errors(text: str) -> None:
    _gives_json_or_our_errors(text)


@given(st.recursive(NAMES | LITERALS, _larger, max_leaves=8))
def test_any_expression_gives_json_or_our_errors(text: str) -> None:
    _gives_json_or_our_errors(text)
