"""Loops: what is not set when a run first comes to them (P005), and those that never end (P010)."""

from __future__ import annotations

import pytest
from checker_samples import Document, Tools, answer, assign, branch, calling, jump, plan

from app.plan.check import check_plan
from app.plan.findings import Finding

TOOLS = Tools()


def check(*steps: Document) -> list[Finding]:
    return check_plan(plan(*steps), TOOLS)


def codes(*steps: Document) -> list[str]:
    return [finding.code for finding in check(*steps)]


def only(*steps: Document) -> Finding:
    findings = check(*steps)
    assert len(findings) == 1, list(map(str, findings))
    return findings[0]


def judged(seq_no: int, if_true: int, if_false: int) -> Document:
    parameters = {"condition_prompt": "Now?", "jump_if_true": if_true, "jump_if_false": if_false}
    return {"seq_no": seq_no, "type": "jmp", "parameters": parameters}


class TestFirstArrival:
    def test_what_only_the_loop_sets_is_not_there_at_first(self) -> None:
        finding = only(assign(0, a=1), assign(1, i="${i} + 1"), branch(2, "i < 3", 1), answer(3))
        assert (finding.code, finding.severity, finding.step) == ("P005", "error", 1)
        assert "first comes" in finding.message
        assert "before the loop" in finding.hint

    def test_a_condition_above_a_loop_asks_for_what_was_set_before(self) -> None:
        loop = branch(1, "i > 3", 4), assign(2, i="${{ 1 + len(str(2)) }}"), jump(3, 1), answer(4)
        assert codes(assign(0, a=1), *loop) == ["P005"]
        assert codes(assign(0, i=0), *loop) == []

    def test_a_plan_may_begin_with_its_loop(self) -> None:
        assert codes(assign(0, i="${i} + 1"), branch(1, "i < 3", 0), answer(2)) == ["P005"]

    def test_what_another_way_into_the_loop_sets_may_be_there(self) -> None:
        loop = assign(2, i="${i} + 1"), branch(3, "i < 3", 2), answer(4)
        assert codes(branch(0, "1 < 2", 2), assign(1, i=0), *loop) == ["P006"]

    def test_what_the_loop_sets_before_the_step_is_there(self) -> None:
        loop = assign(1, i="${i} + 1"), assign(2, a="${i}"), branch(3, "i < 3", 1)
        assert codes(assign(0, i=0), *loop, answer(4)) == []

    def test_an_error_may_lead_to_where_it_is_read(self) -> None:
        call = calling(0, "search", {"query": "x"}, "found", on_error={"goto": 1})
        assert codes(call, branch(1, "error.get", 0), answer(2)) == ["P012"]
        assert codes(call, branch(1, "1 < len(error)", 0), answer(2)) == ["P006"]

    def test_behind_a_jump_to_nowhere_nothing_is_known(self) -> None:
        steps = branch(0, "true", 20), assign(1, i="${i} + 1"), branch(2, "i < 3", 1), answer(3)
        assert codes(*steps) == ["P003", "P006"]

    def test_many_of_them_are_found_soon(self) -> None:
        size = 3_000
        steps = [assign(n, **{f"v{n}": f"${{v{n + 1}}}"}) for n in range(1, size)]
        findings = check(assign(0, a=1), *steps, branch(size, "v1 == 1", 1), answer(size + 1))
        assert {finding.severity for finding in findings if finding.step == 1} == {"error"}


COUNT = assign(1, i="${i} + 1")
ENDLESS = {
    "a condition below": (assign(0, i=0), assign(1, a=1), branch(2, "i < 3", 1), answer(3)),
    "a condition above": (assign(0, i=0), branch(1, "i >= 3", 4), assign(2, a=1), jump(3, 1), answer(4)),
    "a constant": (assign(0, i=0), assign(1, a=1), branch(2, "1 < 2", 1), answer(3)),
    "the step itself": (assign(0, i=0), branch(1, "i < 3", 1), answer(2)),
    "around another loop": (
        assign(0, i=0, j=0),
        assign(1, j="${j} + 1"),
        branch(2, "j < 3", 1),
        branch(3, "i < 3", 1),
        answer(4),
    ),
    "two ways out": (
        assign(0, i=0),
        branch(1, "i == 1", 5),
        assign(2, a=1),
        branch(3, "i == 2", 5),
        jump(4, 1),
        answer(5),
    ),
    "past the last step": (
        assign(0, i=0),
        branch(1, "i == 5", 3),
        branch(2, "i == 4", 4),
        answer(3),
        branch(4, "i < 3", 4),
    ),
}
"""Loops that change nothing that their conditions ask for."""

ENDING = {
    "a tool that is asked again": (
        calling(0, "search", {"query": "x"}, "found"),
        branch(1, "found == null", 0),
        answer(2),
    ),
    "an error that leads out": (
        assign(0, a=1),
        calling(1, "search", {"query": "x"}, on_error={"goto": 3}),
        branch(2, "a == 1", 1),
        answer(3),
    ),
    "an error that is asked for": (
        assign(0, error=None),
        calling(1, "search", {"query": "x"}, on_error="continue"),
        branch(2, "error == null", 1),
        answer(3),
    ),
    "a model that may change its mind": (assign(0, a=1), judged(1, 2, 0), answer(2)),
    "an answer within": (
        assign(0, a=1),
        calling(1, "search", {"query": "x"}, "final_answer", on_error={"goto": 2}),
        branch(2, "a == 1", 1),
        answer(3),
    ),
    "a way out that is come by late": (
        assign(0, i=0, strict=True),
        COUNT,
        branch(2, "i > 9", 5),
        branch(3, "i < 5", 1),
        branch(4, "strict", 5, 1),
        answer(5),
    ),
    "another way out the next time round": (
        assign(0, i=0, a=False, b=True),
        COUNT,
        branch(2, "i % 2 == 0", 4),
        branch(3, "a", 5, 1),
        branch(4, "b", 5, 1),
        answer(5),
    ),
    "two counters": (
        assign(0, i=0, j=0),
        assign(1, j=0, i="${i} + 1"),
        assign(2, j="${j} + 1"),
        branch(3, "j < 3", 2),
        branch(4, "i < 3", 1),
        answer(5),
    ),
}
"""Loops that may end."""


class TestEndless:
    @pytest.mark.parametrize("name", ENDLESS)
    def test_a_loop_that_never_changes_what_it_asks_for_is_named(self, name: str) -> None:
        findings = [finding for finding in check(*ENDLESS[name]) if finding.severity == "error"]
        assert [finding.code for finding in findings] == ["P010"]
        assert "never ends once it comes round" in findings[0].message

    @pytest.mark.parametrize("name", ENDING)
    def test_a_loop_that_may_change_it_is_fine(self, name: str) -> None:
        assert codes(*ENDING[name]) == []

    def test_a_loop_within_a_loop_is_named_alone(self) -> None:
        inner = assign(2, a=1), branch(3, "j < 3", 2)
        finding = only(assign(0, i=0, j=0), COUNT, *inner, branch(4, "i < 3", 1), answer(5))
        assert "steps 2, 3 never" in finding.message
        assert "(j)" in finding.message
        assert "change j in the loop" in finding.hint

    def test_a_condition_that_does_not_parse_is_that_alone(self) -> None:
        assert codes(assign(0, i=0), branch(1, "i <", 0), answer(2)) == ["P012"]

    def test_a_jump_to_nowhere_may_have_been_the_way_out(self) -> None:
        assert codes(assign(0, i=0), assign(1, a=1), branch(2, "i < 3", 1, 20), answer(3)) == ["P003"]

    def test_a_tangle_of_conditions_is_looked_at_in_no_time(self) -> None:
        size = 5_000
        steps = [branch(n, "a == 1", size - n if size - n < n else n + 1) for n in range(1, size)]
        assert set(codes(assign(0, a=1), *steps, answer(size))) <= {"P010"}
