"""The difference of two plans, by what their steps mean."""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise

import pytest
from checker_samples import answer, assign, branch, calling, jump, plan

from app.plan.alignment import align
from app.plan.diff import ABSENT, Change, PlanDiff, diff_plans
from app.plan.model import Plan


def diff(old, new) -> PlanDiff:
    return diff_plans(plan(*old), plan(*new))


def kinds(old, new) -> list[tuple[str, int | None, int | None]]:
    """The steps that differ: kind, old and new number."""
    return [
        (step.kind, step.old and step.old.seq_no, step.new and step.new.seq_no)
        for step in diff(old, new).steps
        if step.kind != "unchanged"
    ]


def changes(old, new) -> list[Change]:
    return [change for step in diff(old, new).steps for change in step.changes]


class TestSame:
    def test_a_plan_is_no_different_from_itself(self):
        steps = [assign(0, a=1), calling(1, "t", {"x": "${a}"}, "b"), answer(2)]
        found = diff(steps, steps)
        assert found.is_empty
        assert [step.kind for step in found.steps] == ["unchanged"] * 3

    def test_other_numbers_are_no_difference(self):
        old = [
            assign(0, a=1),
            branch(1, "a > 1", 3, 2),
            jump(2, 0),
            calling(3, "t", on_error={"goto": 2}),
            answer(4),
        ]
        new = [
            assign(10, a=1),
            branch(15, "a > 1", 30, 20),
            jump(20, 10),
            calling(30, "t", on_error={"goto": 20}),
            answer(44),
        ]
        assert diff(old, new).is_empty

    def test_the_order_of_the_variables_is_no_difference(self):
        assert diff([assign(0, a=1, b=2)], [assign(0, b=2, a=1)]).is_empty

    def test_two_plans_without_steps_are_the_same(self):
        assert diff_plans(Plan(()), Plan(())).is_empty


class TestChanged:
    def test_the_innermost_place_is_named_with_both_values(self):
        old = [calling(0, "t", {"q": "a", "deep": {"list": [1, 2]}}, "x"), answer(1)]
        new = [calling(0, "t", {"q": "a", "deep": {"list": [1, 3]}}, "x"), answer(1)]
        assert kinds(old, new) == [("changed", 0, 0)]
        assert changes(old, new) == [Change("parameters.tool_params.deep.list[1]", 2, 3)]

    def test_what_stands_on_one_side_only_is_absent_on_the_other(self):
        old, new = (
            [calling(0, "t", timeout=5), answer(1)],
            [calling(0, "t", retry={"max_attempts": 2}), answer(1)],
        )
        assert changes(old, new) == [
            Change("parameters.timeout", 5, ABSENT),
            Change("parameters.retry", ABSENT, {"max_attempts": 2}),
        ]
        assert changes(old, new)[0].to_json() == {"path": "parameters.timeout", "old": 5}

    def test_null_is_not_absent(self):
        assert changes([assign(0, a=None)], [assign(0, a=1)])[0].to_json() == {
            "path": "parameters.a",
            "old": None,
            "new": 1,
        }

    @pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), (0, None), ("1", 1)])
    def test_json_types_are_told_apart(self, before, after):
        assert kinds([assign(0, a=before)], [assign(0, a=after)]) == [("changed", 0, 0)]

    def test_a_list_that_grew_differs_as_a_whole(self):
        assert changes([assign(0, a=[1])], [assign(0, a=[1, 2])]) == [Change("parameters.a", [1], [1, 2])]

    def test_a_description_is_a_change(self):
        assert changes([answer(0)], [{**answer(0), "description": "end"}]) == [
            Change("description", ABSENT, "end")
        ]

    def test_another_kind_of_step_for_the_same_variable_is_a_change_of_type(self):
        old, new = [assign(0, a=1), answer(1)], [calling(0, "t", {}, "a"), answer(1)]
        assert kinds(old, new) == [("changed", 0, 0)]
        assert changes(old, new)[0] == Change("type", "assign", "calling")

    def test_another_tool_for_the_same_variable_is_a_change(self):
        old, new = [calling(0, "t", {}, "a"), answer(1)], [calling(0, "u", {}, "a"), answer(1)]
        assert changes(old, new) == [Change("parameters.tool_name", "t", "u")]

    def test_the_steps_for_the_same_variables_are_compared(self):
        old = [calling(0, "t", {"q": 1}, "a"), calling(1, "t", {"q": 1}, "b"), answer(2)]
        new = [calling(0, "t", {"q": 9}, "b"), answer(1)]
        assert kinds(old, new) == [("removed", 0, None), ("changed", 1, 0)]

    def test_the_reasoning_of_the_plan_is_a_change_outside_of_its_steps(self):
        steps = plan(answer(0)).steps
        found = diff_plans(Plan(steps, "so"), Plan(steps, "thus"))
        assert not found.is_empty
        assert found.changes == (Change("reasoning", "so", "thus"),)


class TestJumps:
    def test_a_jump_to_another_step_is_a_change(self):
        old = [branch(0, "x", 2), assign(1, a=1), answer(2)]
        new = [branch(0, "x", 1), assign(1, a=1), answer(2)]
        assert changes(old, new) == [Change("parameters.jump_if_true", 2, 1)]

    def test_a_jump_to_the_same_step_under_another_number_is_none(self):
        old = [branch(0, "x", 2), assign(1, a=1), answer(2)]
        new = [branch(0, "x", 3), assign(1, a=1), assign(2, b=1), answer(3)]
        assert kinds(old, new) == [("added", None, 2)]

    def test_the_same_number_that_is_another_step_now_is_a_change(self):
        old = [branch(0, "x", 2), assign(1, a=1), answer(2)]
        new = [branch(0, "x", 2), assign(1, a=1), assign(2, b=1), answer(3)]
        assert kinds(old, new) == [("changed", 0, 0), ("added", None, 2)]

    def test_a_jump_to_a_step_that_was_changed_is_the_same_jump(self):
        old = [jump(0, 1), answer(1, "a")]
        new = [jump(0, 5), answer(5, "b")]
        assert kinds(old, new) == [("changed", 1, 5)]

    def test_a_new_else_is_a_change(self):
        old, new = [branch(0, "x", 1), answer(1)], [branch(0, "x", 1, 1), answer(1)]
        assert changes(old, new) == [Change("parameters.jump_if_false", ABSENT, 1)]


class TestPlaces:
    def test_added_and_removed_steps_stand_where_they_are(self):
        old = [assign(0, a=1), assign(1, b=1), answer(2)]
        new = [assign(0, a=1), jump(1, 2), answer(2)]
        assert [step.kind for step in diff(old, new).steps] == ["unchanged", "removed", "added", "unchanged"]

    def test_a_moved_step_is_not_removed_and_added(self):
        old = [assign(0, a=1), assign(1, b=2), assign(2, c=3), answer(3)]
        new = [assign(0, b=2), assign(1, c=3), assign(2, a=1), answer(3)]
        assert kinds(old, new) == [("moved", 0, 2)]

    def test_as_few_steps_as_possible_moved(self):
        old = [assign(i, **{f"v{i}": i}) for i in range(6)]
        new = [old[i] | {"seq_no": place} for place, i in enumerate([0, 4, 1, 2, 3, 5])]
        assert kinds(old, new) == [("moved", 4, 1)]

    def test_a_moved_jump_may_have_changed_too(self):
        old = [branch(0, "x", 3), assign(1, a=1), assign(2, b=1), answer(3)]
        new = [assign(0, a=1), assign(1, b=1), branch(2, "x", 0), answer(3)]
        assert kinds(old, new) == [("moved", 0, 2)]
        assert changes(old, new) == [Change("parameters.jump_if_true", 3, 0)]

    def test_one_of_many_equal_steps_was_removed(self):
        old = [*(assign(i, i="${i} + 1") for i in range(5)), answer(5)]
        assert [kind for kind, *_ in kinds(old, [*old[:4], answer(5)])] == ["removed"]


class TestJson:
    def test_it_holds_all_that_is_needed_to_draw_it(self):
        old, new = [assign(0, a=1), answer(1)], [assign(0, a=2), assign(1, b=1), answer(2)]
        assert json.loads(json.dumps(diff(old, new).to_json())) == {
            "changes": [],
            "steps": [
                {"kind": "changed", "old_seq_no": 0, "new_seq_no": 0,
                 "changes": [{"path": "parameters.a", "old": 1, "new": 2}]},
                {"kind": "added", "old_seq_no": None, "new_seq_no": 1, "changes": [], "step": assign(1, b=1)},
                {"kind": "unchanged", "old_seq_no": 1, "new_seq_no": 2, "changes": []},
            ],
        }  # fmt: skip


def random_steps(chance: random.Random, size: int):
    makers = [
        lambda i: assign(i, **{chance.choice("abc"): chance.randrange(3)}),
        lambda i: jump(i, chance.randrange(size)),
        lambda i: branch(i, "a > 1", chance.randrange(size)),
        lambda i: calling(i, chance.choice("tu"), {"x": chance.randrange(3)}, chance.choice("abc")),
    ]
    return [chance.choice(makers)(i) for i in range(size)]


@pytest.mark.parametrize("seed", range(60))
def test_every_step_is_told_of_once_and_added_removed_and_unchanged_fit(seed):
    chance = random.Random(seed)
    old, new = (plan(*random_steps(chance, chance.randint(1, 12))) for _ in range(2))
    found = diff_plans(old, new)
    assert [step.new for step in found.steps if step.new] == list(new.steps)
    assert sorted(step.old.seq_no for step in found.steps if step.old) == [step.seq_no for step in old.steps]
    for step in found.steps:
        assert (step.old is None) == (step.kind == "added") and (step.new is None) == (step.kind == "removed")
    assert found == diff_plans(old, new)
    assert diff_plans(old, old).is_empty and diff_plans(new, new).is_empty


@pytest.mark.parametrize("seed", range(60))
def test_alignment_pairs_equal_items_in_ascending_order(seed):
    chance = random.Random(seed)
    old, new = ([chance.choice("abcdef") for _ in range(chance.randint(0, 20))] for _ in range(2))
    pairs = align(old, new)
    assert all(old[i] == new[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    if set(old) & set(new):
        assert pairs


@pytest.mark.parametrize("variety", [1, 7, 5_000])
def test_thousands_of_steps_take_no_more_than_a_moment(variety):
    def steps(seed):
        chance = random.Random(seed)
        return plan(*(assign(i, a=chance.randrange(variety)) for i in range(5_000)))

    begun = time.process_time()
    diff_plans(steps(1), steps(2))
    assert time.process_time() - begun < 5
