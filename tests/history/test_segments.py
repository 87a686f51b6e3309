"""Segments and journal rows, as bytes."""

from __future__ import annotations

from git_objects import blob, step
from hypothesis import given
from hypothesis import strategies as st

from app.history.base import Kind, RawObject, object_id
from app.history.segments import (
    SEGMENT_BYTES,
    SegmentCache,
    journal_row,
    make_segments,
    open_segment,
    read_journal_row,
)

objects = st.lists(
    st.builds(
        lambda kind, data: RawObject(object_id(kind, data), kind, data),
        st.sampled_from(list(Kind)),
        st.binary(max_size=300),
    ),
    max_size=30,
)


def contents(items: list[RawObject]) -> list[RawObject]:
    """What the segments of ``items`` hold."""
    found = []
    for data, raw_bytes, places in make_segments(items):
        raw = open_segment(data, raw_bytes)
        assert raw is not None
        found += [RawObject(oid, kind, raw[at : at + length]) for oid, at, length, kind in places]
    return found


@given(objects)
def test_segments_hold_what_was_put_in(items: list[RawObject]) -> None:
    assert sorted(contents(items)) == sorted(items)


@given(objects)
def test_a_journal_row_holds_what_was_put_in(items: list[RawObject]) -> None:
    assert read_journal_row(journal_row(items)) == items


def test_small_objects_share_a_segment() -> None:
    steps = [item for number in range(100) for item in step(number)]
    assert len(list(make_segments(steps))) == 1


def test_segments_stay_below_their_size_and_larger_objects_stand_alone() -> None:
    large = blob(bytes(SEGMENT_BYTES * 2))
    items = [blob(b"%d" % number + bytes(SEGMENT_BYTES // 3)) for number in range(7)] + [large]
    sizes = [(segment.raw_bytes, len(segment.places)) for segment in make_segments(items)]
    assert (len(large.data), 1) in sizes
    assert all(size <= SEGMENT_BYTES for size, count in sizes if count > 1)
    assert len(sizes) == 5
    assert sorted(contents(items)) == sorted(items)


def test_many_small_objects_compress_together() -> None:
    steps = [item for number in range(200) for item in step(number)]
    raw_bytes = sum(len(item.data) for item in steps)
    assert sum(len(segment.data) for segment in make_segments(steps)) < raw_bytes / 3


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=2**40))
def test_bytes_that_are_no_segment_are_told(data: bytes, raw_bytes: int) -> None:
    assert open_segment(data, raw_bytes) is None


def test_a_segment_cut_short_is_told() -> None:
    (segment,) = make_segments([blob("some text"), blob("another")])
    for size in range(len(segment.data)):
        assert open_segment(segment.data[:size], segment.raw_bytes) is None


@given(objects, st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_damaged_journal_row_yields_no_wrong_object(items: list[RawObject], at: int, change: int) -> None:
    row = bytearray(journal_row(items))
    if row:
        row[at % len(row)] ^= change
    for item in read_journal_row(bytes(row)):
        assert object_id(item.kind, item.data) == item.oid


def test_the_cache_lets_go_of_what_was_not_used_for_longest() -> None:
    cache = SegmentCache(max_bytes=10)
    for number in (1, 2, 3):
        cache.put(number, bytes(3))
    assert cache.get(1) == bytes(3)
    cache.put(4, bytes(3))
    assert [number for number in (1, 2, 3, 4) if cache.get(number) is not None] == [1, 3, 4]


def test_the_cache_keeps_nothing_larger_than_itself() -> None:
    cache = SegmentCache(max_bytes=10)
    cache.put(1, bytes(5))
    cache.put(2, bytes(11))
    assert cache.get(1) is not None
    assert cache.get(2) is None
