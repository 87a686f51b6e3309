"""Which variables are set before each step: on every path to it, and on at least one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from typing import Final

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

    def maybe(self, index: int, name: str) -> bool:
        """Whether a path to the step sets the variable."""
        return bool((self.possible[index] or 0) & self.bits.get(name, 0))


def assigned_before(plan: Plan, flow: ControlFlow, names: Iterable[str]) -> Assignment:
    """The state of ``names`` before each step.

    A step is looked at again only when what arrives at it has changed, in the plan's order, so that plans
    without tangled jumps take one or two passes.
    """
    bits = {name: 1 << position for position, name in enumerate(sorted(set(names)))}
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


@dataclass(frozen=True, slots=True)
class _Effect:
    """Bits a step sets: on success, on success in some runs, on the way of its ``goto``, by having looked."""

    sure: int = 0
    perhaps: int = 0
    failed: int = 0
    looked: int = 0


def _effect(step: Step, bits: dict[str, int]) -> _Effect:
    instruction = step.instruction
    error = bits.get(ERROR, 0)
    if isinstance(instruction, Jump):
        # A plan may ask whether a call failed and read ``error`` only then; which branch that is can't be
        # seen, so after a condition it counts as set wherever it may be.
        return _Effect(looked=error if instruction.target is None else 0)
    sure = 0
    for name in results(instruction):
        sure |= bits.get(name, 0)
    if isinstance(instruction, Calling):
        return _Effect(sure, error if instruction.on_error.action == "continue" else 0, error)
    return _Effect(sure)


def _after(effect: _Effect, sure: int, maybe: int, failed: bool) -> tuple[int, int]:
    if failed:
        return sure | effect.failed, maybe | effect.failed
    return sure | effect.sure | (maybe & effect.looked), maybe | effect.sure | effect.perhaps


class FirstArrivals:
    """What may be set when a run comes to a step for the first time: not what only a loop around it sets."""

    def __init__(self, plan: Plan, flow: ControlFlow) -> None:
        self._flow = flow
        self._writes = [writes(step) for step in plan.steps]
        self._has_loops = any(edge.target <= index for index, ways in enumerate(flow.edges) for edge in ways)
        self._looks = 0
        self._set_before = lru_cache(maxsize=None)(self._find)

    def may_be_set(self, index: int, name: str) -> bool:
        """Whether a step that lies before the first visit of this one sets the variable."""
        if not self._has_loops:
            return True
        names = self._set_before(index)
        return names is None or name in names

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
