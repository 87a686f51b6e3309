"""Loops that never end (P010): without a way out, or with one that asks for what never changes in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Final

from app.plan.components import cyclic
from app.plan.dataflow import FINAL_ANSWER, ControlFlow, results, writes
from app.plan.expressions import ExpressionSyntaxError, compile_expression
from app.plan.findings import Finding, error
from app.plan.model import Instruction, Jump, Plan

_SHOWN: Final = 10
_MAX_LOOKS: Final = 100_000
"""Steps that are looked at in search of loops within loops; a plan that takes more has tangled ones."""

_MAX_WAYS_OUT: Final = 10
"""Of a loop whose conditions are looked at: each is held against each other."""


@dataclass(frozen=True)
class Loops:
    """The loops of a plan. ``reached`` says of an index whether a path leads there.

    ``loose`` are the steps that jump to where nobody knows.
    """

    plan: Plan
    flow: ControlFlow
    reached: Callable[[int], bool]
    loose: frozenset[int]

    @cached_property
    def edges(self) -> list[list[int]]:
        """Of each step the steps that may follow."""
        return [[edge.target for edge in ways] for ways in self.flow.edges]

    def check(self) -> Iterator[Finding]:
        """A finding for each loop that is reached and, once the run comes round in it, never left."""
        if not self.flow.leads_back:
            return
        for component in cyclic(self.edges):
            if not self.reached(component[0]):
                continue
            if not self._ways_out(set(component)):
                hint = "add a jump with a condition that leads out of it, or set final_answer in it"
                yield self._finding(component, "has no way out", hint)
                continue
            for loop in self._loops_within(component):
                names = self._asked_in_vain(loop)
                if names is not None:
                    yield self._endless(loop, names)
                    break  # those around it would be named for the same reason

    def _endless(self, loop: set[int], names: Sequence[str]) -> Finding:
        asked = f" ({', '.join(names[:_SHOWN])})" if names else ""
        hint = "ask for a variable that the loop changes"
        if names:
            hint = f"change {' or '.join(names[:3])} in the loop, or {hint}"
        what = f"never ends once it comes round: it changes nothing that its conditions ask for{asked}"
        return self._finding(sorted(loop), what, hint)

    def _finding(self, loop: Sequence[int], what: str, hint: str) -> Finding:
        numbers = [self.plan.steps[index].seq_no for index in loop]
        more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        shown = ", ".join(map(str, numbers[:_SHOWN]))
        return error("P010", numbers[0], "", f"the loop of steps {shown}{more} {what}", hint)

    def _ways_out(self, loop: set[int]) -> list[int]:
        """The steps of the loop at which it may be left."""
        last = len(self.plan.steps) - 1
        return [
            index
            for index in loop
            if index in self.loose
            or (index == last and self.flow.runs_off)
            or FINAL_ANSWER in results(self.plan.steps[index].instruction)
            or any(target not in loop for target in self.edges[index])
        ]

    def _loops_within(self, component: list[int]) -> Iterator[set[int]]:
        """For each way back in a component the smallest loop it closes, then the component itself."""
        members = set(component)
        backward = [(index, target) for index in component for target in self.edges[index] if target <= index]
        if len(backward) * len(component) <= _MAX_LOOKS:
            before: dict[int, list[int]] = {index: [] for index in component}
            for index in component:
                for target in self.edges[index]:
                    if target in members:
                        before[target].append(index)
            for end, start in backward:
                if start in members:
                    yield _between(before, start, end)
        yield members

    def _asked_in_vain(self, loop: set[int]) -> list[str] | None:
        """The variables that its ways out ask for, if it is never left once the run comes by one of them again.

        That is so where all ways out are conditions on what the loop doesn't change, and none comes round without
        coming by all the others: what they said before, they say for ever.
        """
        ways_out = self._ways_out(loop)
        changed = frozenset().union(*(writes(self.plan.steps[index]) for index in loop))
        if len(ways_out) > _MAX_WAYS_OUT:
            return None
        names: set[str] = set()
        for index in ways_out:
            asked = _asked(self.plan.steps[index].instruction)
            if asked is None or index in self.loose:
                return None
            names |= asked
        if names & changed:
            return None
        pairs = permutations(ways_out, 2)
        return None if any(self._comes_round_without(loop, *pair) for pair in pairs) else sorted(names)

    def _comes_round_without(self, loop: set[int], step: int, other: int) -> bool:
        """Whether a way within the loop leads from a step back to it without ``other``."""
        seen, due = {other}, [step]
        while due:
            for target in self.edges[due.pop()]:
                if target == step:
                    return True
                if target in loop and target not in seen:
                    seen.add(target)
                    due.append(target)
        return False


def _asked(instruction: Instruction) -> frozenset[str] | None:
    """The variables that alone decide where a step leads; ``None`` where something else does too."""
    if not isinstance(instruction, Jump) or instruction.condition is None:
        return None
    try:
        return compile_expression(instruction.condition).reads
    except ExpressionSyntaxError:
        return None


def _between(before: dict[int, list[int]], start: int, end: int) -> set[int]:
    """The steps that lie on ways from ``start`` to ``end`` that don't come by ``start`` again."""
    found, due = {start, end}, [end]
    while due:
        step = due.pop()
        for earlier in before[step] if step != start else ():
            if earlier not in found:
                found.add(earlier)
                due.append(earlier)
    return found
