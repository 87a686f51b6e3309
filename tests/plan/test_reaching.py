"""Which step's value arrives where."""

from __future__ import annotations

from typing import Any

from plans import assign, call, jump

from app.plan.parse import plan_from_json
from app.plan.reaching import data_edges


def edges(*steps: dict[str, Any]) -> set[tuple[int, int, str]]:
    plan = plan_from_json(list(steps))
    return {
        (plan.steps[each.source].seq_no, plan.steps[each.target].seq_no, each.name)
        for each in data_edges(plan)
    }


def test_what_is_set_again_does_not_arrive() -> None:
    assert edges(assign(1, a=1), assign(2, b="${a}"), assign(3, a=2), assign(4, c="${a} ${b}")) == {
        (1, 2, "a"),
        (3, 4, "a"),
        (2, 4, "b"),
    }


def test_a_loop_brings_its_own_values_back() -> None:
    found = edges(
        assign(1, n=0),
        assign(2, n="${n} + 1"),
        jump(3, condition="n < 5", jump_if_true=2),
        assign(4, final_answer="${n}"),
    )
    assert found == {(1, 2, "n"), (2, 2, "n"), (2, 3, "n"), (2, 4, "n")}


def test_both_ways_of_a_branch_arrive() -> None:
    found = edges(
        jump(1, condition="true", jump_if_true=3),
        assign(2, a=1),
        assign(3, b=2),
        jump(4, condition="b > 1", jump_if_true=6),
        assign(5, a=3),
        assign(6, final_answer="${a}"),
    )
    assert {edge for edge in found if edge[1] == 6} == {(2, 6, "a"), (5, 6, "a")}


def test_a_failed_call_leaves_its_outputs_alone_and_sets_the_error() -> None:
    found = edges(
        assign(1, text="old"),
        call(2, "read_file", "text", {"path": "x"}, on_error={"goto": 4}),
        jump(3, target_seq=5),
        assign(4, why="${error.message} ${text}"),
        assign(5, final_answer="${text}"),
    )
    assert found == {(2, 4, "error"), (1, 4, "text"), (2, 5, "text"), (1, 5, "text")}


def test_items_are_no_variables() -> None:
    found = edges(
        assign(1, names=["a"]), call(2, "look", "x", {"value": "${item} ${index}"}, for_each="${names}")
    )
    assert found == {(1, 2, "names")}


def test_a_long_plan_takes_no_long_time() -> None:
    steps = [
        assign(number, **{f"v{number}": f"${{v{number - 1}}}" if number else 1}) for number in range(3_000)
    ]
    assert len(edges(*steps)) == 2_999
