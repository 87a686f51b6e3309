"""What steps read and write, and where control goes."""

from __future__ import annotations

import random

import pytest
from checker_samples import answer, assign, branch, calling, jump, plan

from app.plan.assignment import Assignment, assigned_before
from app.plan.components import cyclic, strongly_connected
from app.plan.dataflow import control_flow, loop_steps, reads, successors, writes
from app.plan.expressions import ExpressionSyntaxError
from app.plan.model import Plan


def only(document):
    return plan(document).steps[0]


def state(program: Plan, *names: str) -> Assignment:
    return assigned_before(program, control_flow(program), names)


class TestReads:
    def test_an_assign_reads_what_its_values_mention_at_any_depth(self):
        step = only(assign(0, a="${x}", b=[{"c": "text ${y.z[0]}"}], d="${{ len(w) + 1 }}"))
        assert reads(step) == {"x", "y", "w"}

    def test_a_calculation_in_the_older_spelling_reads_its_references(self):
        assert reads(only(assign(0, total="${a} / 3 + ${b}"))) == {"a", "b"}

    def test_a_call_reads_its_arguments_and_its_list(self):
        step = only(calling(0, "read_file", {"path": "${root}/${item.name}-${index}"}, for_each="${files}"))
        assert reads(step) == {"root", "files"}

    def test_item_is_an_ordinary_variable_where_there_is_no_for_each(self):
        assert reads(only(calling(0, "read_file", {"path": "${item}"}))) == {"item"}

    def test_the_list_of_a_for_each_may_be_an_outer_item(self):
        assert reads(only(calling(0, "read_file", {"path": "${item}"}, for_each="${item}"))) == {"item"}

    def test_a_jump_reads_its_condition_by_bare_names(self):
        assert reads(only(branch(0, "count > limit and not done", 0))) == {"count", "limit", "done"}

    def test_a_jump_by_the_model_reads_prompt_and_context(self):
        parameters = {
            "condition_prompt": "is ${a} right?",
            "context": {"b": "${b}"},
            "jump_if_true": 0,
            "jump_if_false": 0,
        }
        assert reads(only({"seq_no": 0, "type": "jmp", "parameters": parameters})) == {"a", "b"}

    def test_reasoning_reads_nothing_since_its_text_stays_text(self):
        step = only({"seq_no": 0, "type": "reasoning", "parameters": {"chain_of_thoughts": "then ${x}"}})
        assert reads(step) == frozenset()

    def test_an_expression_that_does_not_parse_is_raised(self):
        with pytest.raises(ExpressionSyntaxError):
            reads(only(branch(0, "1 +", 0)))


class TestWrites:
    def test_an_assign_writes_its_names(self):
        assert writes(only(assign(0, a=1, b=2))) == {"a", "b"}

    def test_a_call_writes_its_outputs(self):
        assert writes(only(calling(0, "read_file", {}, ["text", "lines"]))) == {"text", "lines"}

    @pytest.mark.parametrize("on_error", ["continue", {"goto": 0}])
    def test_a_call_that_handles_its_failure_may_also_write_error(self, on_error):
        assert writes(only(calling(0, "read_file", {}, ["text"], on_error=on_error))) == {"text", "error"}

    def test_a_for_each_leaves_no_item_behind(self):
        assert writes(only(calling(0, "read_file", {}, ["all"], for_each=[1]))) == {"all"}

    def test_jumps_and_reasoning_write_nothing(self):
        assert writes(only(jump(0, 0))) == frozenset()


class TestSuccessors:
    def test_the_next_step_follows_and_the_last_has_none(self):
        assert successors(plan(assign(3, a=1), assign(7, b=1))) == ((1,), ())

    def test_a_jump_leads_to_its_target_alone(self):
        assert successors(plan(jump(0, 20), assign(10), assign(20))) == ((2,), (2,), ())

    def test_a_condition_without_else_goes_on_with_the_next_step(self):
        assert successors(plan(branch(0, "true", 2), assign(1), assign(2))) == ((2, 1), (2,), ())

    def test_a_condition_with_else_never_falls_through(self):
        assert successors(plan(branch(0, "true", 2, 2), assign(1), assign(2)))[0] == (2,)

    def test_final_answer_ends_the_run(self):
        assert successors(plan(answer(0), assign(1))) == ((), ())

    def test_a_call_that_gives_the_final_answer_may_still_fail_over(self):
        steps = plan(
            calling(0, "read_file", {}, ["final_answer"], on_error={"goto": 2}), assign(1), assign(2)
        )
        assert successors(steps)[0] == (2,)

    def test_a_jump_to_nowhere_leads_nowhere(self):
        assert successors(plan(jump(0, 9), assign(1))) == ((), ())

    def test_a_failed_call_leaves_before_its_outputs_are_set(self):
        flow = control_flow(plan(calling(0, "read_file", {}, ["x"], on_error={"goto": 1}), assign(1)))
        assert {(edge.target, edge.failed) for edge in flow.edges[0]} == {(1, True), (1, False)}


class TestLoops:
    def test_a_straight_plan_has_none(self):
        assert loop_steps(plan(assign(0), assign(1), answer(2))) == frozenset()

    def test_a_loop_is_named_by_seq_no_without_what_is_around_it(self):
        steps = plan(assign(10, i=0), assign(20, i="${i} + 1"), branch(30, "i < 3", 20), answer(40))
        assert loop_steps(steps) == {20, 30}

    def test_a_step_that_jumps_to_itself_is_one(self):
        assert loop_steps(plan(jump(0, 0))) == {0}

    def test_a_retry_by_goto_is_one(self):
        steps = plan(assign(0), calling(1, "read_file", {}, on_error={"goto": 0}), answer(2))
        assert loop_steps(steps) == {0, 1}

    def test_a_backward_jump_past_the_final_answer_is_none(self):
        assert loop_steps(plan(assign(0), answer(1), jump(2, 0))) == frozenset()

    def test_a_hundred_thousand_nodes_need_no_recursion(self):
        size = 100_000
        ring = [[(node + 1) % size] for node in range(size)]
        assert cyclic(ring) == [list(range(size))]

    @pytest.mark.parametrize("seed", range(30))
    def test_cycles_of_random_graphs_are_those_that_reachability_finds(self, seed):
        chance = random.Random(seed)
        size = chance.randint(1, 12)
        graph = [sorted({chance.randrange(size) for _ in range(chance.randint(0, 2))}) for _ in range(size)]
        on_cycle = {node for node in range(size) if node in reached_from(graph, graph[node])}
        assert {node for component in cyclic(graph) for node in component} == on_cycle
        together = {frozenset(component) for component in strongly_connected(graph)}
        for component in together:
            for node in component:
                mutual = {
                    other for other in reached_from(graph, [node]) if node in reached_from(graph, [other])
                }
                assert mutual == component


def reached_from(graph, start):
    seen, due = set(start), list(start)
    while due:
        for node in graph[due.pop()]:
            if node not in seen:
                seen.add(node)
                due.append(node)
    return seen


class TestAssignment:
    def test_on_a_straight_way_what_is_set_is_sure(self):
        before = state(plan(assign(0, a=1), assign(1, b=1), answer(2)), "a", "b")
        assert before.surely(2, "a") and before.surely(2, "b")
        assert not before.maybe(1, "b")

    def test_what_one_branch_sets_is_possible_and_not_sure(self):
        before = state(plan(branch(0, "true", 2), assign(1, a=1), answer(2)), "a")
        assert before.maybe(2, "a") and not before.surely(2, "a")

    def test_what_both_branches_set_is_sure(self):
        steps = plan(branch(0, "true", 3), assign(1, a=1), jump(2, 4), assign(3, a=2), answer(4))
        assert state(steps, "a").surely(4, "a")

    def test_what_a_loop_sets_comes_round_to_its_head(self):
        before = state(
            plan(assign(0, i=0), assign(1, i=1), assign(2, last=1), branch(3, "i<9", 1), answer(4)),
            "i",
            "last",
        )
        assert before.maybe(1, "last") and not before.surely(1, "last")
        assert before.surely(4, "last")

    def test_a_step_that_nothing_leads_to_is_not_reached(self):
        before = state(plan(jump(0, 2), assign(1, a=1), answer(2)), "a")
        assert [before.reached(index) for index in range(3)] == [True, False, True]
        assert not before.maybe(2, "a")

    def test_goto_leaves_without_outputs_but_with_error(self):
        steps = plan(calling(0, "read_file", {}, ["x"], on_error={"goto": 2}), answer(1), answer(2))
        before = state(steps, "x", "error")
        assert before.surely(1, "x") and not before.maybe(1, "error")
        assert before.surely(2, "error") and not before.maybe(2, "x")

    def test_continue_sets_outputs_always_and_error_perhaps(self):
        before = state(plan(calling(0, "read_file", {}, ["x"], on_error="continue"), answer(1)), "x", "error")
        assert before.surely(1, "x")
        assert before.maybe(1, "error") and not before.surely(1, "error")

    def test_error_counts_as_set_once_a_condition_could_ask_for_it(self):
        steps = plan(
            calling(0, "read_file", {}, ["x"], on_error="continue"),
            branch(1, "x == null", 3),
            answer(2),
            answer(3),
        )
        assert state(steps, "error").surely(3, "error")

    @pytest.mark.parametrize("seed", range(40))
    def test_random_plans_agree_with_walking_every_path(self, seed):
        steps = random_plan(random.Random(seed))
        before = state(steps, "a", "b", "c")
        arrivals = walk(steps)
        for index, sets in enumerate(arrivals):
            assert before.reached(index) == bool(sets)
            for name in "abc":
                assert before.maybe(index, name) == any(name in names for names in sets)
                assert before.surely(index, name) == (bool(sets) and all(name in names for names in sets))


def random_plan(chance: random.Random) -> Plan:
    size = chance.randint(2, 9)
    steps = []
    for seq_no in range(size):
        kind = chance.choice(["assign", "assign", "branch", "jump", "call"])
        target = chance.randrange(size)
        if kind == "assign":
            steps.append(assign(seq_no, **{chance.choice("abc"): 1}))
        elif kind == "branch":
            steps.append(branch(seq_no, "true", target, chance.choice([None, chance.randrange(size)])))
        elif kind == "jump":
            steps.append(jump(seq_no, target))
        else:
            steps.append(calling(seq_no, "t", {}, [chance.choice("abc")], on_error={"goto": target}))
    return plan(*steps)


def walk(steps: Plan) -> list[set[frozenset[str]]]:
    """The sets of variables each step can be entered with, found by trying every way."""
    edges = control_flow(steps).edges
    seen: list[set[frozenset[str]]] = [set() for _ in steps.steps]
    due = [(0, frozenset())]
    while due:
        index, names = due.pop()
        if names in seen[index]:
            continue
        seen[index].add(names)
        for edge in edges[index]:
            due.append(
                (edge.target, names if edge.failed else names | (writes(steps.steps[index]) - {"error"}))
            )
    return seen
