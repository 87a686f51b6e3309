"""Canonical JSON: the fast path and the reference agree; what JSON can't hold is refused with its place."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidValue
from app.history.canonical import MAX_DEPTH, MAX_INTEGER_DIGITS, canonical, parse_canonical

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(values)
def test_the_text_is_that_of_the_standard_library(value: object) -> None:
    expected = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert canonical(value) == expected.encode()


@given(values)
def test_reading_gives_back_value_and_type(value: object) -> None:
    again = parse_canonical(canonical(value))
    assert again == value
    assert canonical(again) == canonical(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "-0.0"),
        (0.0, "0.0"),
        (1, "1"),
        (1.0, "1.0"),
        (True, "true"),
        (1e16, "1e+16"),
        (9999999999999998.0, "9999999999999998.0"),
        (1e-4, "0.0001"),
        (9e-5, "9e-05"),
        (5e-324, "5e-324"),
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**100, "1" + "0" * 100),
        ("", '""'),
        ("é\u2028\x7f\x00\n", '"é\u2028\x7f\\u0000\\n"'),
        ([], "[]"),
        ({}, "{}"),
        ({"b": 1, "a": [1, {}]}, '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": 1\n}'),
        ({"\uffff": 1, "\U00010000": 2}, '{\n  "\uffff": 1,\n  "\U00010000": 2\n}'),
    ],
)
def test_each_value_has_one_text(value: object, text: str) -> None:
    assert canonical(value).decode() == text + "\n"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, math.nan]}, "$.a[1]"),
        ([math.inf], "$[0]"),
        ("\ud800", "$"),
        ({"a": "\udfff"}, "$.a"),
        ({"\ud800": 1}, "$ (a key)"),
        ([b"bytes"], "$[0]"),
        ({1: 2}, "$"),
        ([(1, 2)], "$[0]"),
        ({"x": {1, 2}}, "$.x"),
        pytest.param(10**MAX_INTEGER_DIGITS, "$", id="an integer of too many digits"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: object, place: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        canonical(value)
    assert caught.value.path == place


def test_the_largest_integer_can_be_read_back() -> None:
    largest = 10**MAX_INTEGER_DIGITS - 1
    assert parse_canonical(canonical([largest, -largest])) == [largest, -largest]


def test_depth_is_limited_exactly() -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = [value]
        return value

    assert parse_canonical(canonical(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    for levels in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(InvalidValue, match="nested deeper"):
            canonical(nested(levels))
