"""Which variables are set before each step: on every path to it, and on at least one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from typing import Final, TypeAlias

from app.plan.dataflow import ERROR, ControlFlow, results, writes
from app.plan.model import Calling, Jump, Plan, Step

_MAX_LOOKS: Final = 200_000
"""Steps that are looked at in search of what is set before a step is first reached; beyond, anything may be."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Sets of variables as bits of integers, by index of the step; ``None`` where no path leads to it."""

    bits: dict[str, int]
    definite: list[int | None]
    possible: list[int | None]

    def reached(self, index: int) -> bool:
        """Whether some path leads to the step."""
        return self.possible[index] is not None

    def surely(self, index: int, name: str) -> bool:
        """Whether every path to the step sets the variable."""
        return bool((self.definite[index] or 0) & self.bits.get(name, 0))

    def unsure(self, index: int, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that some path to the step doesn't set, sorted."""
        sure, bits = self.definite[index] or 0, self.bits
        found = [name for name in names if not sure & bits[name]]
        return sorted(found) if found else found

    def maybe(self, index: int, name: str) -> bool:
        """Whether a path to the step sets the variable."""
        return bool((self.possible[index] or 0) & self.bits.get(name, 0))


def assigned_before(plan: Plan, flow: ControlFlow, names: Iterable[str]) -> Assignment:
    """The state of ``names`` before each step.

    A step is looked at again only when what arrives at it has changed, in the plan's order, so that plans
    without tangled jumps take one or two passes.
    """
    bits = {name: 1 << position for position, name in enumerate(dict.fromkeys(names))}
    size = len(plan.steps)
    definite: list[int | None] = [None] * size
    possible: list[int | None] = [None] * size
    if not size:
        return Assignment(bits, definite, possible)
    effects = [_effect(step, bits) for step in plan.steps]
    definite[0] = possible[0] = 0
    due = [0]
    queued = bytearray(size)
    while due:
        index = heappop(due)
        queued[index] = 0
        for target, failed in flow.edges[index]:
            sure, maybe = _after(effects[index], definite[index] or 0, possible[index] or 0, failed)
            before, also = definite[target], possible[target]
            if before is not None and also is not None:
                sure, maybe = sure & before, maybe | also
                if sure == before and maybe == also:
                    continue
            definite[target], possible[target] = sure, maybe
            if not queued[target]:
                queued[target] = 1
                heappush(due, target)
    return Assignment(bits, definite, possible)


_Effect: TypeAlias = tuple[int, int, int, int]
"""Bits a step sets: on success, on success in some runs, on the way of its ``goto``, by having looked."""


def _effect(step: Step, bits: dict[str, int]) -> _Effect:
    instruction = step.instruction
    error = bits.get(ERROR, 0)
    if isinstance(instruction, Jump):
        # A plan may ask whether a call failed and read ``error`` only then; which branch that is can't be
        # seen, so after a condition it counts as set wherever it may be.
        return 0, 0, 0, error if instruction.target is None else 0
    sure = 0
    for name in results(instruction):
        sure |= bits.get(name, 0)
    if isinstance(instruction, Calling):
        return sure, error if instruction.on_error.action == "continue" else 0, error, 0
    return sure, 0, 0, 0


def _after(effect: _Effect, sure: int, maybe: int, failed: bool) -> tuple[int, int]:
    on_success, in_some_runs, on_failure, by_looking = effect
    if failed:
        return sure | on_failure, maybe | on_failure
    # In a long plan these are long numbers: what adds nothing is not added.
    if by_looking:
        sure |= maybe & by_looking
    if on_success:
        sure |= on_success
        maybe |= on_success
    return sure, maybe | in_some_runs if in_some_runs else maybe


class FirstArrivals:
    """What may be set when a run comes to a step for the first time: not what only a loop around it sets."""

    def __init__(self, plan: Plan, flow: ControlFlow) -> None:
        self._plan = plan
        self._flow = flow
        self._looks = 0
        self._set_before = lru_cache(maxsize=None)(self._find)

    def may_be_set(self, index: int, name: str) -> bool:
        """Whether a step that lies before the first visit of this one sets the variable."""
        names = self._set_before(index) if self._flow.leads_back else None
        return names is None or name in names

    @cached_property
    def _writes(self) -> list[frozenset[str]]:
        return [writes(step) for step in self._plan.steps]

    def _find(self, index: int) -> frozenset[str] | None:
        """The names set by steps that the run can come to without this one; ``None``: too many to look at."""
        seen, due, found = {0, index}, [0] if index else [], set[str]()
        while due:
            step = due.pop()
            self._looks += 1
            if self._looks > _MAX_LOOKS:
                return None
            found |= self._writes[step]
            for edge in self._flow.edges[step]:
                if edge.target not in seen:
                    seen.add(edge.target)
                    due.append(edge.target)
        return frozenset(found)
