"""Which step's value a step reads: the data edges of a plan, beside the control edges of ``dataflow``."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from app.plan.dataflow import ERROR, control_flow, reads, results
from app.plan.expressions import ExpressionSyntaxError
from app.plan.model import Calling, Plan, Step
from app.plan.references import TemplateSyntaxError


class DataEdge(NamedTuple):
    """The step ``target`` may read what the step ``source`` set. Both are indices in ``plan.steps``."""

    source: int
    target: int
    name: str


class _Effect(NamedTuple):
    """What a way out of a step does to the set of values that arrive: some are replaced, some are new."""

    kill: int
    gain: int


class _Values:
    """Every value that some step may set, as a bit: a set of them is an integer."""

    def __init__(self, plan: Plan) -> None:
        self.places: list[tuple[int, str]] = []
        self.of_name: dict[str, int] = {}
        self.usual: list[_Effect] = []
        self.failed: list[_Effect] = []
        bits = [self._bits(index, step) for index, step in enumerate(plan.steps)]
        for step, (outputs, error) in zip(plan.steps, bits, strict=True):
            kill = 0
            for name in results(step.instruction):
                kill |= self.of_name[name]
            call = step.instruction
            goes_on = isinstance(call, Calling) and call.on_error.action == "continue"
            # With `continue` the error is set only where the call fails: an earlier one may still be there.
            self.usual.append(_Effect(kill, outputs | (error if goes_on else 0)))
            self.failed.append(_Effect(self.of_name.get(ERROR, 0), error))

    def _bits(self, index: int, step: Step) -> tuple[int, int]:
        outputs = 0
        for name in results(step.instruction):
            outputs |= self._add(index, name)
        call = step.instruction
        handles = isinstance(call, Calling) and call.on_error.action != "fail"
        return outputs, self._add(index, ERROR) if handles else 0

    def _add(self, index: int, name: str) -> int:
        bit = 1 << len(self.places)
        self.places.append((index, name))
        self.of_name[name] = self.of_name.get(name, 0) | bit
        return bit

    def of(self, bits: int) -> Iterator[tuple[int, str]]:
        """The places behind a set."""
        while bits:
            lowest = bits & -bits
            yield self.places[lowest.bit_length() - 1]
            bits ^= lowest


def data_edges(plan: Plan) -> list[DataEdge]:
    """Every value that may arrive at a step which reads it, by the reading step. What is set again in between does
    not arrive. A step that can't be read as the language has it reads nothing."""
    values = _Values(plan)
    arriving = _arriving(plan, values)
    found: list[DataEdge] = []
    for index, step in enumerate(plan.steps):
        for name in sorted(_reads(step)):
            wanted = (arriving[index] or 0) & values.of_name.get(name, 0)
            found += [DataEdge(source, index, name) for source, _ in values.of(wanted)]
    return found


def _arriving(plan: Plan, values: _Values) -> list[int | None]:
    """The set of values before each step; ``None`` where no way leads to it."""
    edges = control_flow(plan).edges
    arriving: list[int | None] = [None] * len(plan.steps)
    if not plan.steps:
        return arriving
    arriving[0] = 0
    due, queued = [0], {0}
    while due:
        index = heappop(due)
        queued.discard(index)
        before = arriving[index] or 0
        for edge in edges[index]:
            effect = (values.failed if edge.failed else values.usual)[index]
            after = (before & ~effect.kill) | effect.gain
            known = arriving[edge.target]
            if known is not None and known | after == known:
                continue
            arriving[edge.target] = (known or 0) | after
            if edge.target not in queued:
                queued.add(edge.target)
                heappush(due, edge.target)
    return arriving


def _reads(step: Step) -> frozenset[str]:
    try:
        return reads(step)
    except (TemplateSyntaxError, ExpressionSyntaxError):
        return frozenset()
