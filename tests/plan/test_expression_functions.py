"""The functions of expressions: what each gives, for what it was made for and for anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

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


def value(text: str, **variables: Any) -> Any:
    return compile_expression(text).evaluate({**VARIABLES, **variables})


class TestFunctions:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("len(items)", 3),
            ("len(text)", 9),
            ("len(row)", 2),
            ("min(items)", 1),
            ("max(a, b, x)", 7),
            ("max(names)", "b"),
            ("sum(items)", 6),
            ("sum([])", 0),
            ("sum([0.5, 1])", 1.5),
            ("round(2.5)", 2),
            ("round(2.345, 1)", 2.3),
            ("round(1234, -2)", 1200),
            ("int(3.9)", 3),
            ("int(-3.9)", -3),
            ("int(' 12 ')", 12),
            ("int(true)", 1),
            ("float('1.5e1')", 15.0),
            ("float(2)", 2.0),
            ("str('x')", "x"),
            ("str(row)", '{"a": [true, null], "b": 1}'),
            ("str(1.0)", "1.0"),
            ("str(null)", "null"),
            ("json('ä\"')", '"ä\\""'),
            ("json([1, {'b': 1, 'a': 2}])", '[1, {"a": 2, "b": 1}]'),
            ("lower('ÄB')", "äb"),
            ("upper('äb')", "ÄB"),
            ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
            ("split(' a  b ')", ["a", "b"]),
            ("split('a\\nb', '\\n')", ["a", "b"]),
            ("join(names)", "ba"),
            ("join(names, ', ')", "b, a"),
            ("join(', ', names)", "b, a"),
            ("join([1, null, [2]], '-')", "1-null-[2]"),
            ("contains(text, 'me')", True),
            ("contains(items, 3)", True),
            ("contains(row, 'zz')", False),
            ("startswith(text, 'Some')", True),
            ("sorted(items)", [1, 2, 3]),
            ("sorted(names)", ["a", "b"]),
            ("sorted([[2, 'a'], [1, 'b']])", [[1, "b"], [2, "a"]]),
            ("sorted([[2, 'a'], [1, 'b']], 1)", [[2, "a"], [1, "b"]]),
            ("sorted(rows, 'id')[0]['n']", "y"),
            ("keys(row)", ["a", "b"]),
            ("values(row)", [[True, None], 1]),
        ],
    )
    def test_it_gives(self, text: str, expected: Any) -> None:
        result = value(text)
        assert result == expected
        assert type(result) is type(expected)

    def test_the_list_is_exactly_that_of_the_language(self) -> None:
        assert set(FUNCTIONS) == {
            *("len", "min", "max", "sum", "round", "int", "float", "str", "lower", "upper", "split", "join"),
            *("contains", "startswith", "sorted", "keys", "values", "json"),
        }

    @pytest.mark.parametrize("name", list(FUNCTIONS))
    def test_each_has_a_line_of_documentation(self, name: str) -> None:
        function = FUNCTIONS[name]
        assert function.signature.startswith(f"{name}(")
        assert function.doc and "\n" not in function.doc

    @pytest.mark.parametrize("name", list(FUNCTIONS))
    @pytest.mark.parametrize(
        "argument", ["a", "x", "text", "items", "row", "flag", "nothing", "rows", "big", "empty"]
    )
    def test_each_takes_any_argument_or_fails_cleanly(self, name: str, argument: str) -> None:
        for arguments in (
            argument,
            f"{argument}, a",
            f"{argument}, text",
            f"items, {argument}",
            f"text, {argument}",
        ):
            try:
                json.dumps(value(f"{name}({arguments})"), allow_nan=False)
            except (ExpressionFailed, ExpressionSyntaxError, ReferenceFailed) as error:
                assert error.message

    def test_a_stable_order_keeps_equal_values_in_place(self) -> None:
        rows = [{"k": 1, "n": number} for number in range(5)]
        assert value("sorted(rows, 'k')", rows=rows) == rows

    def test_results_do_not_depend_on_the_order_of_keys(self) -> None:
        for text in ("str(o)", "json(o)", "keys(o)", "values(o)"):
            assert value(text, o={"b": 1, "a": 2}) == value(text, o={"a": 2, "b": 1})
