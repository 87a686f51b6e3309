"""Where control may go in a plan and what is set on the way, worked out without the checker: it defines faults."""

from __future__ import annotations

from typing import Final

from benchmarks.faults.edits import outputs, sets
from benchmarks.faults.written import Steps

END: Final = -1
"""Behind the last step, or where a step sets the answer."""

Way = tuple[int, frozenset[str]]
"""The index of the next step, and the variables that are set on the way there."""


def ways(steps: Steps) -> list[list[Way]]:
    """The ways on from each step; every number has to be there once."""
    index_of = {step["seq_no"]: index for index, step in enumerate(steps)}
    return [_ways_from(steps, index, index_of) for index in range(len(steps))]


def _ways_from(steps: Steps, index: int, index_of: dict[int, int]) -> list[Way]:
    step, parameters = steps[index], steps[index]["parameters"]
    next_index = index + 1 if index + 1 < len(steps) else END
    if step["type"] == "jmp":
        if "target_seq" in parameters:
            return [(index_of[parameters["target_seq"]], frozenset())]
        targets = [index_of[parameters["jump_if_true"]]]
        other = parameters.get("jump_if_false")
        targets.append(next_index if other is None else index_of[other])
        return [(target, frozenset()) for target in targets]
    done = frozenset(sets(step))
    found = [(END if "final_answer" in done else next_index, done)]
    on_error = parameters.get("on_error") if step["type"] == "calling" else None
    if on_error == "continue":
        found.append((found[0][0], frozenset({*outputs(step), "error"})))
    elif isinstance(on_error, dict):
        found.append((index_of[on_error["goto"]], frozenset({"error"})))
    return found


def reached(steps: Steps) -> set[int]:
    """The indices of the steps that some way leads to, and END where the plan can end."""
    graph, found, due = ways(steps), {0}, [0]
    while due:
        for target, _ in graph[due.pop()]:
            if target not in found:
                found.add(target)
                if target != END:
                    due.append(target)
    return found


def arrivals(steps: Steps, index: int, name: str, *, first: bool = False) -> set[bool]:
    """Whether the variable is set when control comes to a step: on some way it is, on some it is not.

    ``first``: only when it comes there for the first time.
    """
    graph = ways(steps)
    found = {(0, False)}
    due = [(0, False)]
    while due:
        at, is_set = due.pop()
        if first and at == index:
            continue
        for target, done in graph[at]:
            state = (target, is_set or name in done)
            if target != END and state not in found:
                found.add(state)
                due.append(state)
    return {is_set for at, is_set in found if at == index}


def is_unset(steps: Steps, index: int, name: str) -> bool:
    """Whether the step is reached, and never with the variable set when it first is."""
    return arrivals(steps, index, name, first=True) == {False}


def may_be_unset(steps: Steps, index: int, name: str) -> bool:
    """Whether the step is reached with the variable set on one way and without on another."""
    return arrivals(steps, index, name) == {True, False}


def traps(steps: Steps) -> bool:
    """Whether a step is reached from which no way leads to the end."""
    graph = ways(steps)
    escaping: set[int] = {END}
    grown = True
    while grown:
        grown = False
        for index, ways_on in enumerate(graph):
            if index not in escaping and any(target in escaping for target, _ in ways_on):
                escaping.add(index)
                grown = True
    return bool(reached(steps) - escaping)


def answers(steps: Steps) -> tuple[bool, bool]:
    """Whether some way sets the answer, and whether some way ends without."""
    graph = ways(steps)
    ends = [done for index in reached(steps) - {END} for target, done in graph[index] if target == END]
    return any("final_answer" in done for done in ends), any("final_answer" not in done for done in ends)
