"""Parts of values: equal to those of the whole, whatever the value and wherever the part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ReferenceFailed
from app.history.base import RawObject, object_id
from app.history.canonical import canonical
from app.history.memory_store import MemoryStoreFactory
from app.history.snapshots import SnapshotReader
from app.history.trees import Entry
from app.history.value_ranges import LongList, LongObject, Node, Plain, ValueRanges
from app.history.values import store_value

ALL = 1 << 40


class Sink:
    """Keeps what is written in a store."""

    def __init__(self) -> None:
        self.store = MemoryStoreFactory().create("task")

    def add(self, kind: int, data: bytes) -> bytes:
        oid = object_id(kind, data)
        self.store.write([RawObject(oid, kind, data)])
        return oid


def opened(value: Any) -> tuple[ValueRanges, Node]:
    sink = Sink()
    stored = store_value(value, sink)
    ranges = ValueRanges(SnapshotReader(sink.store), {})
    return ranges, ranges.open(Entry("value" + stored.suffix, stored.is_tree, stored.oid))


short = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3))
sizes = st.sampled_from([1, 30, 3_000, 9_000, 30_000])


@st.composite
def long_items(draw: st.DrawFn) -> Any:
    text = "t" * draw(sizes)
    return draw(st.sampled_from([text, [text, 1], {"k": text, "l": [text]}]))


items = st.one_of(short, long_items())
lists = st.lists(items, max_size=60).map(lambda some: some * 3)
objects = st.dictionaries(st.text(max_size=6), items, max_size=40)


@settings(max_examples=60, deadline=None)
@given(lists, st.integers(0, 200), st.integers(1, 200))
def test_a_part_of_a_list_is_that_of_the_whole(value: list[Any], offset: int, limit: int) -> None:
    ranges, node = opened(value)
    assert (ranges.type(node), ranges.size(node)) == ("list", len(value))
    part = value[offset : offset + limit]
    assert ranges.slice(node, offset, limit, ALL) == (part, len(part))
    for index in {0, offset, -1, -offset - 1} & set(range(-len(value), len(value))):
        assert ranges.load(ranges.pick(node, index, "x")) == value[index]
    for index in (len(value), -len(value) - 1):
        with pytest.raises(ReferenceFailed, match="no index"):
            ranges.pick(node, index, "x")


@settings(max_examples=60, deadline=None)
@given(objects, st.integers(0, 40), st.integers(1, 40))
def test_a_part_of_an_object_is_that_of_the_whole(value: dict[str, Any], offset: int, limit: int) -> None:
    ranges, node = opened(value)
    assert (ranges.type(node), ranges.size(node)) == ("object", len(value))
    keys = sorted(value)[offset : offset + limit]
    part, taken = ranges.slice(node, offset, limit, ALL)
    assert (part, taken, list(part)) == ({key: value[key] for key in keys}, len(keys), keys)
    for key in value:
        assert ranges.load(ranges.pick(node, key, "x")) == value[key]
    with pytest.raises(ReferenceFailed):
        ranges.pick(node, "no such key", "x")


@pytest.mark.parametrize(
    "value", [["z" * 200] * 1_000, {f"{number:04}": "z" * 200 for number in range(1_000)}]
)
def test_a_part_ends_where_there_is_no_more_room_and_has_one_at_least(value: Any) -> None:
    ranges, node = opened(value)
    assert isinstance(node, LongList | LongObject)
    part, taken = ranges.slice(node, 0, 1_000, 2_000)
    assert taken == len(part) and len(canonical(part)) < 2_200 and taken > 5
    assert ranges.slice(node, 999, 10, 1)[1] == 1


def test_keys_that_differ_in_case_are_told_apart() -> None:
    value = {f"{'aA'[number % 2]}{number // 2}": "x" * 100 for number in range(1_000)}
    ranges, node = opened(value)
    assert isinstance(node, Plain)  # no folder can hold them
    assert ranges.load(ranges.pick(node, "A7", "x")) == "x" * 100


def test_a_key_is_found_in_a_folder_that_fans_out() -> None:
    value = {f"Key {number}%/é": {"number": number, "more": "x" * 30} for number in range(2_000)}
    ranges, node = opened(value)
    assert isinstance(node, LongObject)
    assert ranges.load(ranges.pick(node, "Key 1234%/é", "x"))["number"] == 1_234
    for wrong in ("key 1234%/é", "Key 1234", 3, ""):
        with pytest.raises(ReferenceFailed):
            ranges.pick(node, wrong, "x")


def test_what_has_no_parts_is_given_whole() -> None:
    for value in (None, True, 3, 2.5):
        ranges, node = opened(value)
        assert (ranges.slice(node, 5, 1, 1), ranges.size(node)) == ((value, 0), None)
    ranges, node = opened("äöü")
    assert (ranges.slice(node, 1, 1, ALL), ranges.size(node), ranges.type(node)) == (("ö", 1), 3, "text")
