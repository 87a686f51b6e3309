"""The fork point: the last commit up to which two plans do the same."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import Rig, assign, call, jump

from app.plan.parse import plan_from_json
from app.tools import tool
from app.vm.forks import ForkPoint, find_fork_point, same_json


@tool(effect="read", aliases=["peek"])
def look(value: Any = None) -> Any:
    """Gives back what it is shown."""
    return value


@tool(effect="read")
def stumble(value: Any = None) -> Any:
    """Fails at what is odd."""
    if isinstance(value, int) and value % 2:
        raise ValueError(f"{value} is odd")
    return value


def names(name: str) -> str:
    return "look" if name == "peek" else name


def fork(rig: Rig, plan: list[dict[str, Any]]) -> ForkPoint:
    commits = list(rig.repository.log(rig.head()))[::-1]
    return find_fork_point(rig.repository.reader, commits, plan_from_json(plan), names)


def ran(*steps: dict[str, Any]) -> Rig:
    rig = Rig(steps, [look, stumble])
    rig.run()
    return rig


LINE = [
    assign(1, a=1),
    call(2, "look", "b", {"value": "${a}"}),
    call(3, "look", "c", {"value": "${b}"}),
    assign(4, final_answer="${c}"),
]


def change(steps: list[dict[str, Any]], at: int, new: dict[str, Any]) -> list[dict[str, Any]]:
    return [new if index == at else step for index, step in enumerate(steps)]


class TestOnAStraightLine:
    def test_the_same_plan_forks_at_the_end(self):
        rig = ran(*LINE)
        found = fork(rig, LINE)
        assert (found.commit.oid, found.pc, len(found.kept), found.beyond) == (rig.head(), None, 4, [])

    @pytest.mark.parametrize("at", range(4))
    def test_a_changed_step_forks_before_it(self, at: int):
        changed = [
            assign(1, a=2),
            call(2, "look", "b", {"value": 7}),
            call(3, "stumble", "c", {"value": "${b}"}),
            assign(4, final_answer="no"),
        ]
        found = fork(ran(*LINE), change(LINE, at, changed[at]))
        assert found.pc == at + 1
        assert [step.seq_no for step in found.kept] == list(range(1, at + 1))
        assert found.commit.seq_no == (at or None) and len(found.beyond) == 4 - at

    def test_numbers_and_descriptions_do_not_count(self):
        renumbered = [{**step, "seq_no": step["seq_no"] * 10, "description": "x"} for step in LINE]
        found = fork(ran(*LINE), renumbered)
        assert found.pc is None and [step.seq_no for step in found.kept] == [10, 20, 30, 40]

    def test_templates_that_resolve_to_the_same_inputs_are_the_same(self):
        assert fork(ran(*LINE), change(LINE, 1, call(2, "look", "b", {"value": 1}))).pc is None

    def test_equal_numbers_of_other_types_are_not_the_same(self):
        assert fork(ran(*LINE), change(LINE, 1, call(2, "look", "b", {"value": 1.0}))).pc == 2
        assert fork(ran(*LINE), change(LINE, 0, assign(1, a=True))).pc == 1

    def test_another_output_variable_is_another_step(self):
        renamed = [*LINE[:2], call(3, "look", "d", {"value": "${b}"}), assign(4, final_answer="${d}")]
        assert fork(ran(*LINE), renamed).pc == 3

    def test_an_alias_is_the_same_tool(self):
        assert fork(ran(*LINE), change(LINE, 1, call(2, "peek", "b", {"value": "${a}"}))).pc is None

    def test_timeouts_and_retries_do_not_count(self):
        more = call(2, "look", "b", {"value": "${a}"}, timeout=5, retry={"max_attempts": 2})
        assert fork(ran(*LINE), change(LINE, 1, more)).pc is None

    def test_another_text_of_reasoning_is_another_step(self):
        def thought(text: str) -> dict[str, Any]:
            return {"seq_no": 0, "type": "reasoning", "parameters": {"chain_of_thoughts": text}}

        rig = ran(thought("so"), *LINE)
        assert fork(rig, [thought("so"), *LINE]).pc is None
        assert fork(rig, [thought("otherwise"), *LINE]).pc == 0
        assert fork(rig, LINE).pc == 1

    def test_a_step_more_at_the_end_goes_on_from_there(self):
        unfinished = LINE[:3]
        found = fork(ran(*unfinished), LINE)
        assert found.pc == 4 and not found.beyond

    def test_a_plan_that_ends_earlier_forks_where_it_ends(self):
        found = fork(ran(*LINE), LINE[:3])
        assert found.pc is None and len(found.beyond) == 1


class TestLoopsAndErrors:
    LOOP: ClassVar = [
        assign(1, n=0, total=0),
        call(2, "look", "got", {"value": "${n}"}),
        assign(3, total="${{ total + got }}", n="${{ n + 1 }}"),
        jump(4, condition="n < 3", jump_if_true=2),
        assign(5, final_answer="${total}"),
    ]

    def test_a_loop_that_turns_longer_forks_at_its_end_with_its_visits(self):
        longer = change(self.LOOP, 3, jump(4, condition="n < 5", jump_if_true=2))
        found = fork(ran(*self.LOOP), longer)
        assert found.pc == 2 and found.visits == {2: 3, 3: 3, 4: 3}

    def test_a_change_within_a_loop_forks_where_it_first_tells(self):
        capped = change(self.LOOP, 1, call(2, "look", "got", {"value": "${{ min(n, 1) }}"}))
        found = fork(ran(*self.LOOP), capped)
        assert found.pc == 2 and found.visits == {2: 2, 3: 2, 4: 2}

    def test_a_handled_error_is_the_same_when_it_is_handled_alike(self):
        plan = [
            assign(1, n=1),
            call(2, "stumble", "x", {"value": "${n}"}, on_error="continue"),
            assign(3, final_answer="${error.message}"),
        ]
        rig = ran(*plan)
        assert fork(rig, plan).pc is None
        goto = call(2, "stumble", "x", {"value": "${n}"}, on_error={"goto": 3})
        assert fork(rig, change(plan, 1, goto)).pc == 2

    def test_a_failed_step_is_beyond_the_fork_point_also_when_it_stays(self):
        plan = [assign(1, n=1), call(2, "stumble", "x", {"value": "${n}"}), assign(3, final_answer="${x}")]
        rig = ran(*plan)
        found = fork(rig, plan)
        assert found.pc == 2 and [commit.kind for commit in found.beyond] == ["failure"]

    def test_items_are_compared_one_by_one(self):
        plan = [assign(1, xs=[1, 2]), call(2, "look", "ys", {"value": "${item}"}, for_each="${xs}")]
        rig = ran(*plan)
        literal = call(2, "look", "ys", {"value": "${item}"}, for_each=[1, 2])
        assert fork(rig, change(plan, 1, literal)).pc is None
        other = call(2, "look", "ys", {"value": "${{ item + index }}"}, for_each="${xs}")
        assert fork(rig, change(plan, 1, other)).pc == 2


class TestRevisedBranches:
    def test_a_branch_with_a_revision_is_followed_through_both_plans(self):
        rig = ran(*LINE)
        second = [*LINE[:2], call(30, "look", "c", {"value": 9}), assign(40, final_answer="${c}")]
        rig.revise("second", second)
        rig.run("second")
        commits = list(rig.repository.log(rig.head("second")))[::-1]
        assert [commit.kind for commit in commits][-3:] == ["revision", "step", "step"]

        def at(plan: list[dict[str, Any]]) -> ForkPoint:
            return find_fork_point(rig.repository.reader, commits, plan_from_json(plan), names)

        assert at(second).pc is None and [kept.seq_no for kept in at(second).kept] == [1, 2, 30, 40]
        assert at(LINE).pc == 3 and at(LINE).commit.kind == "revision"
        third = [assign(1, a=5), *second[1:]]
        assert at(third).pc == 1 and at(third).commit.kind == "plan"

    def test_a_revised_branch_replays(self):
        rig = ran(*LINE)
        rig.revise("second", [*LINE[:2], assign(3, final_answer="${b}")])
        rig.run("second")
        replayed = rig.replay("second")
        assert replayed.divergence is None and replayed.commits == len(rig.kinds("second"))
        assert rig.variables("second") == {"a": 1, "b": 1, "final_answer": 1}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.data())
def test_what_is_kept_is_what_a_run_from_scratch_would_do(values: list[int], data: st.DataObject):
    def plan(numbers: list[int]) -> list[dict[str, Any]]:
        calls = [
            call(n, "look", f"v{n}", {"value": f"${{{{ v{n - 1} + {number} }}}}"})
            for n, number in enumerate(numbers, 1)
        ]
        return [assign(0, v0=0), *calls, assign(99, final_answer=f"${{v{len(numbers)}}}")]

    other = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=6))
    rig = ran(*plan(values))
    found = fork(rig, plan(other))
    shared = next((n for n, (a, b) in enumerate(zip(values, other, strict=False)) if a != b), None)
    same = min(len(values), len(other)) if shared is None else shared
    expected = same + 1 + (values == other)
    assert len(found.kept) == expected
    rig.revise("other", plan(other))
    rig.run("other")
    assert rig.variables("other") == ran(*plan(other)).variables()


def test_values_of_other_types_differ():
    assert not same_json({"a": 1}, {"a": True}) and not same_json([0.0], [-0.0]) and same_json([1], [1])
