"""Straight stretches: where they end, who writes what a step reads, and what is urgent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from rig import assign, call, jump

from app.plan.model import Calling
from app.plan.parse import plan_from_json
from app.vm.stretches import OUTSIDE, Role, Stretch, Stretches

ROLES = {"pure": Role.CALLS, "ask": Role.CALLS, "look": Role.LOOKS, "put": Role.CHANGES}


def role_of(instruction: Calling) -> Role:
    return ROLES.get(instruction.tool_name, Role.WAITS)


def stretch_of(steps: Sequence[Mapping[str, Any]], start: int = 0) -> Stretch:
    return Stretches(plan_from_json(list(steps)), role_of).at(start)


def numbers(steps: Sequence[Mapping[str, Any]], start: int = 0) -> list[int]:
    return [each.step.seq_no for each in stretch_of(steps, start).steps]


READS = [call(10 * n, "look", f"v{n}", {"x": n}) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (jump(35, condition="v1 > 0", jump_if_true=10), [10, 20, 30]),
        (jump(35, condition_prompt="well?", jump_if_true=10, jump_if_false=50), [10, 20, 30]),
        (call(35, "look", "w", {"x": 1}, on_error={"goto": 50}), [10, 20, 30, 35]),
        (call(35, "look", "final_answer", {"x": 1}), [10, 20, 30, 35]),
        (call(35, "look", "final_answer", {"x": 1}, on_error="continue"), [10, 20, 30, 35]),
        (assign(35, final_answer="${v1}", more=1), [10, 20, 30, 35]),
        (jump(35, target_seq=50), [10, 20, 30, 35, 50]),
        (jump(35, target_seq=20), [10, 20, 30, 35]),
        (assign(35, w="${v1}"), [10, 20, 30, 35, 40, 50]),
        (call(35, "look", "w", {"x": 1}, on_error="continue"), [10, 20, 30, 35, 40, 50]),
    ],
    ids=["condition", "judgement", "goto", "answer of a call", "answer or null", "answer", "jump on", "jump back",
         "assign", "continue"],
)  # fmt: skip
def test_a_stretch_goes_as_far_as_nothing_can_lead_elsewhere(end: dict[str, Any], found: list[int]) -> None:
    assert numbers([*READS[:3], end, *READS[3:]], 10) == found


def test_a_stretch_may_begin_behind_its_end_and_go_round() -> None:
    steps = [*READS, jump(60, target_seq=10)]
    assert numbers(steps, 40) == [40, 50, 60, 10, 20, 30]


def test_the_source_of_a_variable_is_the_last_writer_before_its_reader() -> None:
    stretch = stretch_of(
        [
            call(0, "look", "a", {"x": "${a}"}),
            call(1, "look", "b", {"x": "${a}"}),
            call(2, "look", "a", {"x": "${b}"}),
            call(3, "look", "c", {"x": ["${a}", "${b}", "${outside}"]}),
            assign(4, a="${{ a + b }}", b="${a}"),
            call(5, "look", "d", {"x": "${a.key}${{ b }}"}, for_each="${c}"),
        ]
    )
    sources = [dict(each.sources) for each in stretch.steps]
    assert sources[0] == {"a": OUTSIDE}
    assert sources[1] == {"a": 0}
    assert sources[2] == {"b": 1}
    assert sources[3] == {"a": 2, "b": 1, "outside": OUTSIDE}
    assert sources[4] == {"a": 2, "b": 1}
    assert sources[5] == {"a": 4, "b": 4, "c": 3}


def test_a_step_that_handles_its_error_may_have_set_it() -> None:
    stretch = stretch_of(
        [
            assign(0, error="none yet"),
            call(1, "look", "a", {"x": 1}, on_error="continue"),
            call(2, "look", "b", {"x": 1}, on_error="continue"),
            call(3, "look", "c", {"x": "${error}"}),
        ]
    )
    assert stretch.steps[3].sources == {"error": 2}
    assert [each.error_before for each in stretch.steps] == [OUTSIDE, 0, 1, 2]
    assert stretch.steps[0].role is Role.COMPUTES


def test_only_an_assign_that_a_call_needs_is_computed_early() -> None:
    stretch = stretch_of(
        [
            assign(0, a=1),
            assign(1, b="${a}"),
            assign(2, c="${a}"),
            call(3, "look", "d", {"x": "${b}"}),
            assign(4, e="${d}"),
            {"seq_no": 5, "type": "reasoning", "parameters": {"chain_of_thoughts": "${d}"}},
        ]
    )
    roles = [each.role for each in stretch.steps]
    assert roles == [Role.COMPUTES, Role.COMPUTES, Role.WAITS, Role.LOOKS, Role.WAITS, Role.WAITS]


def test_what_looks_outside_stands_behind_the_last_change() -> None:
    stretch = stretch_of(
        [call(n, tool) for n, tool in enumerate(["look", "put", "look", "put", "look", "pure"])]
    )
    assert [each.changed_at for each in stretch.steps] == [OUTSIDE, OUTSIDE, 1, 1, 3, 3]
    assert [each.role for each in stretch.steps][4:] == [Role.LOOKS, Role.CALLS]


def test_the_longest_row_of_calls_comes_first() -> None:
    stretch = stretch_of(
        [
            call(0, "look", "alone", {"x": 1}),
            call(1, "look", "a", {"x": 1}),
            call(2, "look", "b", {"x": 1}),
            assign(3, c="${b}"),
            call(4, "look", "d", {"x": ["${c}", "${a}"]}),
            call(5, "look", "e", {"x": ["${a}"]}),
            call(6, "look", "f", {"x": "${d}"}),
        ]
    )
    # Behind steps 1 and 2 come two calls in a row; for step 1 more of them wait.
    assert list(stretch.order) == [1, 2, 3, 4, 0, 5, 6]
    assert [stretch.rank[position] for position in stretch.order] == list(range(7))


def test_what_stands_before_a_change_is_as_urgent_as_what_stands_behind() -> None:
    stretch = stretch_of(
        [
            call(0, "pure", "free", {"x": 1}),
            call(1, "look", "a", {"x": 1}),
            call(2, "pure", "b", {"x": 1}),
            call(3, "put", "c", {"x": 1}),
            call(4, "look", "d", {"x": "${c}"}),
            call(5, "look", "e", {"x": "${d}"}),
            call(6, "pure", "f", {"x": "${free}"}),
        ]
    )
    assert list(stretch.order) == [0, 1, 2, 4, 5, 6]


def test_a_stretch_without_early_calls_is_not_looked_into() -> None:
    stretch = stretch_of([call(0, "look", "a"), *(call(n, "put", "a", {"x": "${a}"}) for n in range(1, 5))])
    assert list(stretch.order) == []
    assert all(each.role is Role.WAITS for each in stretch.steps)
    assert len(stretch.steps) == 5
    assert list(stretch.next_call) == [0, 1, 2, 3, 4, 5]


def test_the_next_call_is_known_at_every_place() -> None:
    stretch = stretch_of(
        [call(0, "look"), assign(1, a=1), call(2, "put"), assign(3, b=1), call(4, "look"), assign(5, c=1)]
    )
    assert list(stretch.next_call) == [0, 2, 2, 4, 4, 6, 6]


def test_the_time_it_takes_grows_as_the_plan_does() -> None:
    def seconds(count: int) -> float:
        errors = [call(2 * n, "look", f"v{n}", {"x": "${error}"}, on_error="continue") for n in range(count)]
        plan = plan_from_json(errors)
        began = time.process_time()
        Stretches(plan, role_of).at(0)
        return time.process_time() - began

    few, many = (min(seconds(count) for _ in range(3)) for count in (1_000, 8_000))
    assert many < 8 * 3 * max(few, 0.002)
