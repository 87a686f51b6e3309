from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from app.errors import ArgumentsInvalid
from app.tools import tool
from app.tools.accept import accepter
from app.tools.arguments import bind_arguments, validate_arguments


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int


class Order(BaseModel):
    name: str
    points: list[Point]


@tool(effect="pure")
def search(
    path: str,
    limit: Annotated[int, Field(ge=1)] = 10,
    rows: list[dict[str, int]] | None = None,
    mode: Literal["fast", "slow"] = "fast",
    flag: bool = False,
):
    """Search."""


def problem(arguments: Any, of=search) -> str:
    with pytest.raises(ArgumentsInvalid) as caught:
        bind_arguments(of, arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "a"},
        {"path": "a", "limit": 3, "rows": [{"a": 1}], "mode": "slow", "flag": True},
        {"path": "", "rows": None, "limit": 2.0},
    ],
)
def test_arguments_that_fit_pass(arguments):
    validate_arguments(search, arguments)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, "search: argument 'path' is missing, expected string"),
        ({"path": "a", "limt": 3}, "unknown argument 'limt', did you mean 'limit'?"),
        ({"path": "a", "zzz": 3}, "unknown argument 'zzz'"),
        ({"path": 3}, "argument 'path': expected string, got 3"),
        ({"path": "a", "limit": True}, "argument 'limit': expected integer, got true"),
        ({"path": "a", "flag": 1}, "argument 'flag': expected boolean, got 1"),
        ({"path": "a", "limit": 0}, "argument 'limit': 0 is less than the minimum of 1"),
        ({"path": "a", "mode": "c"}, 'argument \'mode\': expected one of "fast", "slow", got "c"'),
        ({"path": "a", "rows": [{"a": 1}, {"a": "x"}]}, "argument 'rows[1].a': expected integer, got \"x\""),
        ({"path": "a", "rows": 3}, "argument 'rows': expected array of object or null, got 3"),
        ({"path": "x" * 1000, "limit": "y" * 1000}, "…"),
    ],
)
def test_a_wrong_argument_says_what_was_expected(arguments, line):
    text = problem(arguments)
    assert line in text
    assert "it takes path, limit?, rows?, mode?, flag?" in text
    assert len(text) < 400


def test_everything_wrong_is_named_but_not_endlessly():
    text = problem({"limit": "a", "mode": 1, "flag": 2, "rows": 3, "other": 4})
    assert text.count(";") == 3 and "and 3 more" in text


def test_a_tool_without_parameters_says_so():
    @tool(effect="pure")
    def nothing():
        """Take nothing."""

    assert "it takes no arguments" in problem({"x": 1}, nothing)


def test_json_becomes_what_the_hints_ask_for():
    @tool(effect="pure")
    def convert(
        order: Order, colour: Colour, day: date, path: Path, counts: list[int], any_json, **more: Point
    ):
        """Convert."""

    given_point = {"x": 1, "y": 2}
    bound = bind_arguments(
        convert,
        {
            "order": {"name": "n", "points": [given_point]},
            "colour": "red",
            "day": "2024-02-29",
            "path": "a/b",
            "counts": [1.0, 2],
            "any_json": {"a": [1]},
            "extra": given_point,
        },
    )
    assert bound["order"] == Order(name="n", points=[Point(1, 2)])
    assert bound["colour"] is Colour.RED
    assert bound["day"] == date(2024, 2, 29)
    assert bound["path"] == Path("a/b")
    assert [type(count) for count in bound["counts"]] == [int, int]
    assert bound["any_json"] == {"a": [1]}
    assert bound["extra"] == Point(1, 2)


def test_what_only_the_conversion_finds_is_an_argument_error_too():
    @tool(effect="pure")
    def on(day: date):
        """Take a day."""

    assert "argument 'day': " in problem({"day": "2024-13-01"}, on)


def test_the_function_gets_a_copy():
    @tool(effect="pure")
    def change(rows: list, box: dict):
        """Change them."""

    rows, box = [[1]], {"a": {"b": 1}}
    bound = bind_arguments(change, {"rows": rows, "box": box})
    bound["rows"][0].append(2)
    bound["box"]["a"]["b"] = 2
    assert (rows, box) == ([[1]], {"a": {"b": 1}})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 1.5, "a", "b", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
schemas = st.recursive(
    st.sampled_from([{}, {"enum": ["a", 1]}, {"const": True}, {"enum": [1, 2], "type": "integer"}])
    | st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"]).map(
        lambda name: {"type": name}
    ),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2).map(lambda each: {"anyOf": each})
        | inner.map(lambda items: {"type": "array", "items": items})
        | st.tuples(inner, st.booleans() | inner, st.lists(st.sampled_from("ab"), unique=True)).map(
            lambda parts: {
                "type": "object",
                "properties": {"a": parts[0]},
                "additionalProperties": parts[1],
                "required": parts[2],
            }
        )
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(schema=schemas, value=json_values)
def test_the_fast_yes_is_never_a_yes_that_jsonschema_denies(schema, value):
    accept = accepter(schema)
    assert accept is not None
    if accept(value):
        assert Draft202012Validator(schema).is_valid(value)


def test_keywords_the_fast_yes_does_not_know_are_left_to_jsonschema():
    assert accepter({"type": "integer", "minimum": 1}) is None
    assert accepter({"$ref": "#/$defs/Node"}) is None
