"""Snapshots: any state comes back, and how it came about leaves no trace in its tree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from objects import values, variable_names

from app.errors import DamagedHistory, InvalidValue
from app.history.base import Kind
from app.history.codec import INLINE_BYTES, Snapshot, SnapshotWriter
from app.history.memory_store import MemoryStoreFactory
from app.history.snapshots import SnapshotReader
from app.history.trees import ObjectSink


def write(snapshot: Snapshot, sink: ObjectSink) -> bytes:
    writer = SnapshotWriter(sink)
    writer.set_goal(snapshot.goal)
    if snapshot.plan is not None:
        writer.set_plan(snapshot.plan)
    writer.set_record(snapshot.record)
    writer.set_variables(snapshot.variables)
    writer.set_list("errors", snapshot.errors)
    return writer.tree(snapshot.control)


def read_back(sink: ObjectSink, tree: bytes) -> Snapshot:
    store = MemoryStoreFactory().create("t")
    store.write(sink.drain())
    return SnapshotReader(store).snapshot(tree)


CONTROL = {"pc": 3, "status": "running", "steps": 2}


@given(st.dictionaries(variable_names, values, max_size=8), st.lists(st.just({"step": 1}), max_size=3))
def test_a_snapshot_comes_back(variables: dict[str, Any], errors: list[Any]) -> None:
    record = {"kind": "step", "seq_no": 3, "inputs": {"text": "x" * 2_000, "n": 1}, "value": ["y"] * 500}
    snapshot = Snapshot({"goal": "g"}, record, CONTROL, {"version": 1, "steps": []}, variables, errors)
    sink = ObjectSink()
    assert read_back(sink, write(snapshot, sink)) == snapshot


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "A", "aB", "Ab", "AB", *(f"v{n}" for n in range(300))]), st.integers()
        ),
        max_size=400,
    )
)
def test_the_order_of_setting_leaves_no_trace(assignments: list[tuple[str, int]]) -> None:
    stepwise = SnapshotWriter(ObjectSink())
    for name, value in assignments:
        stepwise.set_variables({name: value})
        stepwise.tree(CONTROL)
    at_once = SnapshotWriter(ObjectSink())
    at_once.set_variables(dict(sorted(dict(assignments).items(), reverse=True)))
    assert stepwise.tree(CONTROL) == at_once.tree(CONTROL)


def test_five_thousand_variables_fan_out_and_come_back() -> None:
    variables = {f"variable_{index}": index for index in range(5_000)}
    sink = ObjectSink()
    writer = SnapshotWriter(sink)
    writer.set_variables(variables)
    writer.tree(CONTROL)
    sink.drain()
    writer.set_variables({"one_more": 1})
    tree = writer.tree(CONTROL)
    assert sum(len(raw.data) for raw in sink.pending) < 4_000
    sink = ObjectSink()
    whole = SnapshotWriter(sink)
    whole.set_variables({**variables, "one_more": 1})
    assert whole.tree(CONTROL) == tree
    assert read_back(sink, tree).variables == {**variables, "one_more": 1}


def test_names_that_differ_in_case_alone_can_be_checked_out_side_by_side() -> None:
    sink = ObjectSink()
    writer = SnapshotWriter(sink)
    writer.set_variables({"name": 1, "Name": 2, "NAME": 3, "con": 4, "CON": 5})
    tree = writer.tree(CONTROL)
    store = MemoryStoreFactory().create("t")
    store.write(sink.drain())
    reader = SnapshotReader(store)
    names = [entry.name for entry in reader.read_tree(reader.top(tree)["vars"].oid)]
    assert len({name.lower() for name in names}) == 5
    assert "con.json" not in {name.lower() for name in names}
    assert reader.snapshot(tree).variables == {"name": 1, "Name": 2, "NAME": 3, "con": 4, "CON": 5}


def test_long_names_of_capitals_are_still_file_names() -> None:
    sink = ObjectSink()
    writer = SnapshotWriter(sink)
    variables = {"A" * 128: 1, "a" * 128: 2, "A" * 127 + "a": 3}
    writer.set_variables(variables)
    tree = writer.tree(CONTROL)
    store = MemoryStoreFactory().create("t")
    store.write(sink.drain())
    reader = SnapshotReader(store)
    assert all(len(entry.name) <= 205 for entry in reader.read_tree(reader.top(tree)["vars"].oid))
    assert reader.snapshot(tree).variables == variables


def test_a_large_result_is_one_object_with_the_variable_it_became() -> None:
    large = "x" * (INLINE_BYTES + 10)
    sink = ObjectSink()
    writer = SnapshotWriter(sink)
    writer.set_record({"kind": "step", "value": large, "inputs": {"again": large}})
    writer.set_variables({"text": large})
    writer.tree(CONTROL)
    assert sum(1 for raw in sink.pending if raw.kind == Kind.BLOB and large.encode() in raw.data) == 1


def test_a_refused_variable_changes_nothing() -> None:
    writer = SnapshotWriter(ObjectSink(), max_value_bytes=2_000)
    writer.set_variables({"a": 1})
    before = writer.tree(CONTROL)
    with pytest.raises(InvalidValue, match="variable 'c'"):
        writer.set_variables({"b": 2, "c": "x" * 3_000})
    assert writer.tree(CONTROL) == before


def test_a_layout_of_another_version_is_named() -> None:
    store = MemoryStoreFactory().create("t")
    sink = ObjectSink()
    blob = sink.add(Kind.BLOB, b"2\n")
    tree = sink.add(Kind.TREE, b"100644 format\0" + blob)
    store.write(sink.drain())
    with pytest.raises(DamagedHistory, match="layout 2"):
        SnapshotReader(store).snapshot(tree)
