"""Values as git objects: any value comes back, long ones share what did not change, history leaves no trace."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from objects import ReadableSink, values

from app.errors import InvalidValue
from app.history.canonical import canonical
from app.history.trees import Entry
from app.history.values import LONG_ABOVE, load_value, store_value


def load(sink: ReadableSink, is_tree: bool, oid: bytes) -> Any:
    suffix = ".d" if is_tree else ".json"
    return load_value(Entry("x" + suffix, is_tree, oid), sink.read_tree, sink.read_json)


@given(values)
def test_any_value_comes_back(value: object) -> None:
    sink = ReadableSink()
    stored = store_value(value, sink)
    assert canonical(load(sink, stored.is_tree, stored.oid)) == canonical(value)
    assert stored.size == len(canonical(value))


LONG_VALUES = {
    "a list of small items": [{"id": index, "text": "x" * 40} for index in range(3_000)],
    "a list of one item": ["y" * 50_000],
    "a list with long items": [1, ["z" * 100] * 400, 2, {f"k{n}": "v" * 99 for n in range(300)}, 3],
    "lists in lists": [[[index] * 50 for index in range(50)] for _ in range(40)],
    "an object": {f"key {index}": {"nested": ["v" * 30] * 3} for index in range(500)},
    "an object of digits": {f"{index:02d}": "v" * 400 for index in range(100)},
    "an object with odd keys": dict.fromkeys((".git", "..", "a/b", "@00", "", "%", "con", "\n"), "v" * 5000),
    "an object with keys that differ in case": {"Key": "v" * 9_000, "key": "w" * 9_000},
    "an object with a very long key": {"k" * 300: "v" * 20_000},
    "an object that holds a list": {"rows": [{"n": index} for index in range(2_000)], "count": 2_000},
    "text": "t" * 100_000,
}


@pytest.mark.parametrize("name", LONG_VALUES)
def test_long_values_come_back(name: str) -> None:
    value = LONG_VALUES[name]
    sink = ReadableSink()
    stored = store_value(value, sink)
    assert load(sink, stored.is_tree, stored.oid) == value
    assert stored.size == len(canonical(value))


def test_the_threshold_is_exact() -> None:
    for length in (LONG_ABOVE - 9, LONG_ABOVE - 8):
        value = ["x" * (length - 1)]
        stored = store_value(value, ReadableSink())
        assert stored.is_tree == (len(canonical(value)) > LONG_ABOVE)


def test_appending_to_a_long_list_writes_little() -> None:
    value: list[Any] = [{"id": index, "text": "x" * 40} for index in range(20_000)]
    sink = ReadableSink()
    stored = store_value(value, sink)
    sink.drain()
    again = store_value([*value, {"id": -1}], sink, stored)
    written = sink.drain()
    assert again.size > 1_000_000
    assert sum(len(raw.data) for raw in written) < 10_000
    assert len(written) <= 5


def test_changing_one_key_of_a_long_object_writes_little() -> None:
    value = {f"key{index}": ["v" * 50] * 10 for index in range(3_000)}
    sink = ReadableSink()
    stored = store_value(value, sink)
    sink.drain()
    store_value({**value, "key7": "new"}, sink, stored)
    assert sum(len(raw.data) for raw in sink.drain()) < 5_000


def random_part(chance: random.Random) -> Any:
    kind = chance.random()
    if kind < 0.5:
        return "x" * chance.randrange(0, 3_000)
    if kind < 0.6:
        return list(range(chance.randrange(0, 5_000)))
    if kind < 0.7:
        return {f"k{index}": "v" * chance.randrange(300) for index in range(chance.randrange(0, 200))}
    return chance.randrange(10**9)


@pytest.mark.parametrize("seed", range(12))
def test_a_list_that_was_edited_lies_as_if_it_had_always_been_so(seed: int) -> None:
    chance = random.Random(seed)
    sink, value, previous = ReadableSink(), [], None
    for _ in range(40):
        choice = chance.random()
        if choice < 0.75 or not value:
            value = [*value, *(random_part(chance) for _ in range(chance.randrange(1, 4)))]
        elif choice < 0.87:
            value = value[: chance.randrange(len(value))]
        else:
            value = list(value)
            value[chance.randrange(len(value))] = random_part(chance)
        previous = store_value(value, sink, previous)
        fresh = store_value(value, ReadableSink())
        assert (previous.is_tree, previous.oid, previous.size) == (fresh.is_tree, fresh.oid, fresh.size)
        assert load(sink, previous.is_tree, previous.oid) == value


def test_equal_numbers_of_different_type_are_not_mistaken_for_each_other() -> None:
    sink = ReadableSink()
    start = [1] * 9_000
    stored = store_value(start, sink)
    for other in (True, 1.0):
        changed = store_value([other] * 9_000, sink, stored)
        assert changed.oid == store_value([other] * 9_000, ReadableSink()).oid != stored.oid


def test_a_value_above_the_limit_is_refused_and_says_so() -> None:
    with pytest.raises(InvalidValue, match="limit reached: value size"):
        store_value("x" * 2_000, ReadableSink(), limit=1_000)
    sink = ReadableSink()
    stored = store_value(list(range(9_000)), sink, limit=200_000)
    with pytest.raises(InvalidValue, match="limit reached"):
        store_value(list(range(90_000)), sink, stored, limit=200_000)
