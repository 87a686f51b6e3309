"""What the control flow of a plan tells: order and jumps (P002, P003), reachability (P004), variables
(P005, P006), loops (P010) and the end (P011).

Where a jump leads is unknown when its target doesn't exist or exists twice. Then only that is reported
which holds wherever it was meant to lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from app.plan.assignment import Assignment, FirstArrivals, assigned_before
from app.plan.check_loops import Loops
from app.plan.check_slots import Read
from app.plan.dataflow import FINAL_ANSWER, ITEM_NAMES, ControlFlow, control_flow, results, targets, writes
from app.plan.findings import Finding, error, warning
from app.plan.model import Plan, Step
from app.plan.paths import format_path


def check_targets(plan: Plan) -> Iterator[Finding]:
    """P002 and P003."""
    numbers = {step.seq_no for step in plan.steps}
    seen: set[int] = set()
    highest = -1
    for step in plan.steps:
        if step.seq_no in seen:
            yield error(
                "P002", step.seq_no, "seq_no", f"seq_no {step.seq_no} is repeated", "give each step its own"
            )
        elif step.seq_no < highest:
            message = f"seq_no {step.seq_no} comes after {highest}"
            yield error("P002", step.seq_no, "seq_no", message, "steps stand in ascending order of seq_no")
        seen.add(step.seq_no)
        highest = max(highest, step.seq_no)
        for target in targets(step.instruction):
            if target.seq_no not in numbers:
                message = f"there is no step {target.seq_no} to jump to"
                yield error(
                    "P003", step.seq_no, format_path(target.path), message, _nearest(target.seq_no, numbers)
                )


def _nearest(seq_no: int, numbers: set[int]) -> str:
    near = sorted(sorted(numbers, key=lambda number: (abs(number - seq_no), number))[:3])
    return (
        f"the nearest steps are {', '.join(map(str, near))}"
        if len(near) > 1
        else f"the only step is {near[0]}"
    )


@dataclass(frozen=True, slots=True)
class _Program:
    """A plan with its graph.

    ``loose`` are the steps that jump to where nobody knows; ``vague``: one of them can be reached, or the
    order of the steps is not known either.
    """

    plan: Plan
    flow: ControlFlow
    reads: Sequence[Sequence[Read]]
    state: Assignment
    loose: frozenset[int]
    out_of_order: bool
    vague: bool

    def reached(self) -> Iterator[tuple[int, Step]]:
        return ((index, step) for index, step in enumerate(self.plan.steps) if self.state.reached(index))


def check_flow(plan: Plan, reads: Sequence[Sequence[Read]]) -> list[Finding]:
    """P004, P005, P006, P010 and P011. ``reads`` are those of each step by index."""
    program = _program(plan, reads)
    if program.out_of_order:
        return [*_check_unset(program), *_check_answer(program)]
    return [
        *_check_reached(program),
        *_check_variables(program),
        *Loops(plan, program.flow, program.state.reached, program.loose).check(),
        *_check_answer(program),
    ]


def _program(plan: Plan, reads: Sequence[Sequence[Read]]) -> _Program:
    flow = control_flow(plan)
    names = {name for of_step in reads for read in of_step for name in read.names}
    state = assigned_before(plan, flow, names)
    counts = Counter(step.seq_no for step in plan.steps)
    loose = frozenset(
        index
        for index, step in enumerate(plan.steps)
        for target in targets(step.instruction)
        if counts[target.seq_no] != 1
    )
    out_of_order = any(after.seq_no < before.seq_no for before, after in pairwise(plan.steps))
    vague = out_of_order or any(state.reached(index) for index in loose)
    return _Program(plan, flow, reads, state, loose, out_of_order, vague)


def _check_reached(program: _Program) -> Iterator[Finding]:
    if program.vague:
        return
    for index, step in enumerate(program.plan.steps):
        if not program.state.reached(index):
            yield warning("P004", step.seq_no, "", "no path leads to this step", "jump to it or take it out")


def _check_variables(program: _Program) -> Iterator[Finding]:
    if program.vague:
        yield from _check_unset(program)
    first = FirstArrivals(program.plan, program.flow)
    for index, step in program.reached():
        for read in program.reads[index]:
            for name in program.state.unsure(index, read.names):
                if not program.state.maybe(index, name):
                    if not program.vague:
                        yield _no_path(program, step, read, name)
                elif program.vague or first.may_be_set(index, name):
                    yield _some_path(step, read, name)
                else:
                    yield _not_at_first(step, read, name)


def _check_unset(program: _Program) -> Iterator[Finding]:
    """P005 for variables that no step sets at all: true whatever the order."""
    written = _written(program.plan)
    for step, of_step in zip(program.plan.steps, program.reads, strict=True):
        for read in of_step:
            for name in sorted(read.names - written):
                yield _no_path(program, step, read, name)


def _some_path(step: Step, read: Read, name: str) -> Finding:
    return warning(
        "P006",
        step.seq_no,
        read.place(name),
        f"variable {name!r} is not set on every path to this step",
        "set it before the paths part",
    )


def _no_path(program: _Program, step: Step, read: Read, name: str) -> Finding:
    message = f"variable {name!r} is not set on any path to this step"
    return error("P005", step.seq_no, read.place(name), message, _suggest(program.plan, step, name))


def _not_at_first(step: Step, read: Read, name: str) -> Finding:
    message = f"variable {name!r} is not set when the run first comes to this step"
    return error("P005", step.seq_no, read.place(name), message, "set it before the loop")


def _suggest(plan: Plan, step: Step, name: str) -> str:
    if name in writes(step):
        return "a step can't read what it sets itself; set it in a step before"
    written = _written(plan)
    if name in written:
        setter = next(other for other in plan.steps if name in writes(other))
        return f"step {setter.seq_no} sets it, but no path leads from there to here"
    if name in ITEM_NAMES:
        return f"{name!r} is there only in the tool_params of a step with for_each"
    near = get_close_matches(name, sorted(written), n=1)
    return f"did you mean {near[0]!r}?" if near else "set it in a step before"


def _written(plan: Plan) -> frozenset[str]:
    return frozenset().union(*(writes(step) for step in plan.steps))


def _check_answer(program: _Program) -> Iterator[Finding]:
    """P011: an error where no path gives an answer, a warning where the run may also end without one."""
    plan, last = program.plan, len(program.plan.steps) - 1
    steps = plan.steps if program.vague else [step for _, step in program.reached()]
    if not any(FINAL_ANSWER in results(step.instruction) for step in steps):
        hint = "end with an assign of final_answer, or name it in output_vars"
        yield error("P011", None, "", "no path sets final_answer", hint)
    elif not program.out_of_order and program.flow.runs_off and program.state.reached(last):
        message = "the run may end after this step without final_answer"
        yield warning("P011", plan.steps[last].seq_no, "", message, "set final_answer on every path")
