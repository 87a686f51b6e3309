"""Rows of two runs: every step stands in one, in its order, and a row says rightly how its steps differ."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from random_plans import TOOLS, random_steps
from rig import Clock, Rig

from app.history.commits import Commit
from app.vm.moments import Moment, Moments
from app.vm.run_alignment import Row, align_runs
from app.vm.traces import Trace, Traces


def trace(tool: str, sets: str, asked: int, gave: int, *, failed: bool = False) -> Trace:
    trailers = {"Kind": "failure" if failed else "step"}
    commit = Commit(bytes(20), bytes(20), (), "", 0, "", trailers)
    return Trace(Moment(commit, {}), 1, ("calling", tool), (sets,), asked, gave, "error" if failed else None)


traces = st.lists(
    st.builds(
        trace, st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 2), st.integers(0, 1),
        failed=st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


def check(left: list[Trace], right: list[Trace], rows: list[Row]) -> None:
    assert [row.left for row in rows if row.left is not None] == left
    assert [row.right for row in rows if row.right is not None] == right
    for one, other, change in rows:
        if one is None or other is None:
            assert change == ("added" if one is None else "removed")
            continue
        same_step = (one.form, one.sets) == (other.form, other.sets)
        assert (change == "step") == (not same_step)
        assert (change == "inputs") == (same_step and one.asked != other.asked)
        alike = (one.asked, one.gave, one.error) == (other.asked, other.gave, other.error)
        assert (change == "same") == (same_step and alike)


def aligned(left: list[Trace], right: list[Trace]) -> list[Row]:
    return align_runs(left, right, lambda one, other: False)


@settings(max_examples=300, deadline=None)
@given(traces, traces)
def test_every_step_stands_in_one_row_in_its_order(left: list[Trace], right: list[Trace]) -> None:
    check(left, right, aligned(left, right))
    assert all(row.change == "same" for row in aligned(left, left))


def run(seed: int) -> tuple[Rig, list[Trace]]:
    rig = Rig(random_steps(seed), TOOLS, clock=Clock(tick_ms=0))
    if rig.run().status == "failed":
        rig.run()
    return rig, list(Traces(Moments(rig.repository)).between(rig.head(), None))[::-1]


def test_random_runs_are_aligned_with_themselves_and_with_others() -> None:
    runs = [run(seed) for seed in range(8)]
    for (rig, left), (_, right) in zip(runs, [*runs[1:], runs[0]], strict=True):
        check(left, right, aligned(left, right))
        assert all(row.change == "same" for row in aligned(left, left))
        kinds = [commit.kind for commit in rig.repository.log(rig.head())]
        assert len(left) == kinds.count("step") + kinds.count("failure")


def test_the_traces_of_equal_runs_are_equal() -> None:
    for seed in range(8):
        (_, left), (_, right) = run(seed), run(seed)
        facts: list[list[Any]] = [
            [(each.form, each.sets, each.asked, each.gave, each.error, each.visit) for each in traces_]
            for traces_ in (left, right)
        ]
        assert facts[0] == facts[1]


def test_what_failed_stands_for_what_failed() -> None:
    failed, done = trace("a", "x", 1, 1, failed=True), trace("a", "x", 1, 1)
    assert [row.change for row in aligned([failed, done], [done])] == ["removed", "same"]
    assert [row.change for row in aligned([failed], [done])] == ["output"]


def test_inputs_that_an_error_cut_short_are_the_same() -> None:
    failed, done = trace("a", "x", 1, 1, failed=True), trace("a", "x", 2, 1)
    assert [row.change for row in align_runs([failed], [done], lambda one, other: True)] == ["output"]
