"""Straight stretches of a plan: steps that follow each other whatever happens, and what each waits for.

A stretch ends before a jump with a condition, and behind a step that may go elsewhere (``on_error: goto``), that sets
``final_answer``, or that is the last. An unconditional jump is followed, until it leads back into the stretch.

Places in a stretch are positions, from 0. A variable's *source* is the last writer before a reader: its position, or
``OUTSIDE`` where the variable comes from before the stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from app.plan.dataflow import ERROR, FINAL_ANSWER, reads, results, writes
from app.plan.model import Assign, Calling, Jump, Plan, Step

OUTSIDE: Final = -1


class Role(Enum):
    """What a step of a stretch may do before its turn."""

    WAITS = "waits"
    """Nothing: it is done at its turn."""
    COMPUTES = "computes"
    """An ``assign`` that a call behind it needs: its values may be computed as soon as its sources are there."""
    CALLS = "calls"
    """A call that nothing outside can change: it may start as soon as its sources are there."""
    LOOKS = "looks"
    """The same for a call that sees what earlier steps changed outside: it also waits for the last of those."""
    CHANGES = "changes"
    """A call that changes the outside: at its turn."""


RoleOf = Callable[[Calling], Role]
"""What a call may do before its turn; it depends on the tool."""


@dataclass(frozen=True, slots=True)
class StretchStep:
    """``sources``: variable → its source. ``changed_at``: the last step before that changes the outside.

    ``error_before``: the source of ``error``, for who asks a step that may have set it and did not.
    """

    step: Step
    role: Role
    sources: Mapping[str, int]
    changed_at: int
    error_before: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """``next_call``: of each position, and of the end, the first call there or behind; the end where none is left.

    ``order`` holds the positions of what may be done before its turn, the most urgent first: that for which the most
    calls in a row wait, then that for which the most calls wait, then by the plan. ``rank``: position → place in it.
    """

    steps: Sequence[StretchStep]
    next_call: Sequence[int]
    order: Sequence[int]
    rank: Mapping[int, int]

    def in_program_order(self) -> Stretch:
        """The same, nothing being more urgent than what stands before it."""
        order = sorted(self.order)
        return replace(self, order=order, rank={position: place for place, position in enumerate(order)})


class Stretches:
    """The stretches of one plan, found when they are needed."""

    def __init__(self, plan: Plan, role_of: RoleOf) -> None:
        self._plan = plan
        self._role_of = role_of
        self._index = {step.seq_no: index for index, step in enumerate(plan.steps)}
        self._known: dict[int, Stretch] = {}

    def at(self, seq_no: int) -> Stretch:
        """The stretch that begins with that step."""
        known = self._known.get(seq_no)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[seq_no] = self._find(seq_no)
        return known

    def _find(self, seq_no: int) -> Stretch:
        steps = self._follow(seq_no)
        roles = [self._role(step) for step in steps]
        if any(role in _EARLY for role in roles[1:]):
            found = _with_needed_assigns(_with_sources(steps, roles))
        else:  # nothing could start before its turn, so nothing is looked at
            found = [StretchStep(step, Role.WAITS, {}, OUTSIDE, OUTSIDE) for step in steps]
        order = _order(found)
        rank = {position: place for place, position in enumerate(order)}
        return Stretch(found, _next_calls(steps), order, rank)

    def _follow(self, seq_no: int) -> list[Step]:
        steps: list[Step] = []
        seen: set[int] = set()
        index = self._index[seq_no]
        while index < len(self._plan.steps) and index not in seen:
            step = self._plan.steps[index]
            if _asks_where_to_go(step):
                break
            seen.add(index)
            steps.append(step)
            if _ends(step):
                break
            jumps = isinstance(step.instruction, Jump)
            index = self._target(step) if jumps else index + 1
        return steps or [self._plan.steps[index]]

    def _target(self, step: Step) -> int:
        assert isinstance(step.instruction, Jump) and step.instruction.target is not None
        return self._index.get(step.instruction.target, len(self._plan.steps))

    def _role(self, step: Step) -> Role:
        return self._role_of(step.instruction) if isinstance(step.instruction, Calling) else Role.WAITS


_MOST_KNOWN: Final = 256
_EARLY: Final = (Role.CALLS, Role.LOOKS)
_AT_ITS_TURN: Final = (Role.WAITS, Role.CHANGES)


def _asks_where_to_go(step: Step) -> bool:
    return isinstance(step.instruction, Jump) and step.instruction.target is None


def _ends(step: Step) -> bool:
    instruction = step.instruction
    goes_elsewhere = isinstance(instruction, Calling) and instruction.on_error.action == "goto"
    return goes_elsewhere or FINAL_ANSWER in results(instruction)


def _with_sources(steps: Sequence[Step], roles: Sequence[Role]) -> list[StretchStep]:
    last_writer: dict[str, int] = {}
    changed_at = OUTSIDE
    found: list[StretchStep] = []
    for position, (step, role) in enumerate(zip(steps, roles, strict=True)):
        reading = role in _EARLY or isinstance(step.instruction, Assign)
        sources = {name: last_writer.get(name, OUTSIDE) for name in reads(step)} if reading else {}
        found.append(StretchStep(step, role, sources, changed_at, last_writer.get(ERROR, OUTSIDE)))
        if role is Role.CHANGES:
            changed_at = position
        last_writer.update(dict.fromkeys(writes(step), position))
    return found


def _with_needed_assigns(steps: Sequence[StretchStep]) -> list[StretchStep]:
    """The steps, with the ``assign`` steps found out that a call needs before its turn."""
    needed: set[int] = set()
    found: list[StretchStep] = []
    for position in reversed(range(len(steps))):
        each = steps[position]
        if isinstance(each.step.instruction, Assign) and position in needed:
            each = StretchStep(each.step, Role.COMPUTES, each.sources, each.changed_at, each.error_before)
        if each.role in _EARLY or each.role is Role.COMPUTES:
            needed.update(each.sources.values())
        if position in needed:
            needed.add(each.error_before)
        found.append(each)
    return found[::-1]


def _next_calls(steps: Sequence[Step]) -> list[int]:
    following = [len(steps)]
    for position in reversed(range(len(steps))):
        is_call = isinstance(steps[position].instruction, Calling)
        following.append(position if is_call else following[-1])
    return following[::-1]


def _order(steps: Sequence[StretchStep]) -> list[int]:
    in_a_row, waiting = [0] * len(steps), [0] * len(steps)
    before_change = 0
    for position in reversed(range(len(steps))):
        each = steps[position]
        is_call = isinstance(each.step.instruction, Calling)
        # What changes the outside waits for every step before it.
        in_a_row[position] = is_call + max(in_a_row[position], before_change)
        if each.role is Role.CHANGES:
            before_change = in_a_row[position]
        for source in {*each.sources.values(), each.changed_at if each.role is Role.LOOKS else OUTSIDE}:
            if source != OUTSIDE:
                in_a_row[source] = max(in_a_row[source], in_a_row[position])
                waiting[source] += is_call
    early = [position for position, each in enumerate(steps) if each.role not in _AT_ITS_TURN]
    return sorted(early, key=lambda position: (-in_a_row[position], -waiting[position], position))
