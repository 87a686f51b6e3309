from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from app.errors import ToolFailed
from app.tools.results import to_json_value

LIMIT = 10_000_000


class Pair(NamedTuple):
    a: int
    b: str


@dataclass
class Box:
    name: str
    inner: Any = None


class Model(BaseModel):
    value: int
    other: Any = Field(default=None, serialization_alias="else")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Text(str):
    pass


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_json_comes_back_equal(value):
    copied = to_json_value(value, LIMIT)
    assert copied == value
    assert repr(copied) == repr(value)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Pair(1, "x"), [1, "x"]),
        (Box("n", [Box("m")]), {"name": "n", "inner": [{"name": "m", "inner": None}]}),
        (Model(value=1), {"value": 1, "else": None}),
        (Colour.RED, "red"),
        ({Colour.RED: Level.LOW}, {"red": 1}),
        (Text("x"), "x"),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (Path("a/b"), "a/b"),
        (10**30, 10**30),
        (-0.0, -0.0),
    ],
)
def test_what_stands_for_json_becomes_json(result, expected):
    assert to_json_value(result, LIMIT) == expected


def test_nothing_but_jsons_own_types_comes_out():
    copied = to_json_value({"a": Text("x"), "b": Level.LOW, "c": OrderedDict(d=Pair(1, "y"))}, LIMIT)
    kinds = {type(copied), *map(type, copied.values()), type(copied["c"]["d"])}
    assert kinds == {dict, str, int, list}


def test_what_the_tool_changes_later_stays_its_own():
    result = {"rows": [{"a": [1, 2]}], "plain": [1, 2]}
    copied = to_json_value(result, LIMIT)
    result["rows"][0]["a"].append(3)
    result["plain"].append(3)
    assert copied == {"rows": [{"a": [1, 2]}], "plain": [1, 2]}


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (b"x", "a value of type bytes"),
        ({"a": [1, {"b": b"x"}]}, "a value of type bytes, which JSON can't hold at .a[1].b"),
        ({1, 2}, "a value of type set"),
        (deque([1]), "a value of type deque"),
        (object(), "a value of type object"),
        (Box, "a value of type type"),
        ([math.nan], "holds nan, which JSON can't hold at [0]"),
        ({"a": math.inf}, "holds inf, which JSON can't hold at .a"),
        ([Model(value=1, other=b"x")], "bytes, which JSON can't hold at [0].else"),
        ({"a": ["x", "\ud800"]}, "a lone surrogate, character 0) at .a[1]"),
        ({"a": {"\udcff": 1}}, "a lone surrogate"),
        ({"a\ud800": b"x"}, "bytes"),
        ({1: 2}, "holds the key 1, which is not text"),
        ({"a": {None: 2}}, "holds the key None, which is not text at .a"),
        ([10**5000], "more than 4,000 digits"),
        (nested(101), "deeper than 100 levels"),
    ],
)
def test_what_json_cannot_hold_is_said_with_its_place(result, complaint):
    with pytest.raises(ToolFailed) as caught:
        to_json_value(result, LIMIT)
    assert complaint in caught.value.message
    assert caught.value.hint
    str(caught.value).encode()


def test_a_hundred_levels_are_fine():
    assert to_json_value(nested(100), LIMIT) == nested(100)


def test_a_value_that_holds_itself_ends():
    loop: dict[str, Any] = {}
    loop["self"] = [loop]
    with pytest.raises(ToolFailed, match="holds itself"):
        to_json_value(loop, LIMIT)


def test_a_small_nest_of_shared_lists_is_not_unfolded_without_end():
    value: list[Any] = ["x"]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(ToolFailed, match="above the limit"):
        to_json_value(value, 100_000)


def test_the_limit_counts_bytes_of_json():
    assert to_json_value("ä" * 10, 22) == "ä" * 10
    with pytest.raises(ToolFailed, match="is 22 bytes of JSON, above the limit of 21 bytes"):
        to_json_value("ä" * 10, 21)


def test_a_hundred_megabytes_are_refused():
    with pytest.raises(ToolFailed, match="above the limit"):
        to_json_value("x" * 100_000_000, LIMIT)
    with pytest.raises(ToolFailed, match="above the limit"):
        to_json_value([0] * 50_000_000, LIMIT)


def test_a_mapping_is_an_object_whatever_its_class():
    class Lazy(Mapping):
        def __getitem__(self, key):
            return {"a": 1}[key]

        def __iter__(self):
            return iter("a")

        def __len__(self):
            return 1

    assert to_json_value(Lazy(), LIMIT) == {"a": 1}
