"""What may start before its turn: the calls of a stretch whose inputs are there, found as they come to be.

A step is looked at when there is room for its call, and again when what it waited for is there: about once a source,
however many steps there are. Nothing is called here, and the committed state stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from app.plan.dataflow import ERROR
from app.plan.model import Calling, Json, Step
from app.vm.effects import CallNeeded, Effect, FanNeeded
from app.vm.state import State, Transition
from app.vm.stretches import Role, Stretch


@dataclass(frozen=True, slots=True)
class Ready:
    """A call behind the head that may start: its position in the stretch, and what it needs."""

    position: int
    effect: CallNeeded | FanNeeded


@dataclass(slots=True)
class _Reading:
    """What a step reads, as far as it is known: the value of a source never changes."""

    sources: tuple[tuple[str, int], ...]
    done: int = 0
    variables: dict[str, Json] = field(default_factory=dict)


class Lookahead:
    """One execution of a stretch, made at the turn of its first step. ``head`` is the next step to be committed.

    ``state`` is the committed state, as it goes on changing; ``begin`` starts a step on a state. ``steps_left`` is
    how many steps the run may still execute: what lies behind is not looked at.
    """

    def __init__(
        self, stretch: Stretch, state: State, begin: Callable[[State], Transition | Effect], steps_left: int
    ) -> None:
        self.stretch = stretch
        self.head = 0
        self._state = state
        self._begin = begin
        self._bound = min(len(stretch.steps), steps_left)
        self._first = 1
        self._seen = 0
        self._again: list[int] = []
        self._ready: list[tuple[int, Ready]] = []
        self._resolved: set[int] = set()
        self._unresolved: dict[int, None] | None = None
        self._values: dict[int, Mapping[str, Json]] = {}
        self._reading: dict[int, _Reading] = {}
        self._waiting: defaultdict[int, list[int]] = defaultdict(list)
        self._waiting_for_commit: defaultdict[int, list[int]] = defaultdict(list)

    def peek(self) -> Ready | None:
        """Of the calls that may start before their turn and were not taken, the first in the stretch's order."""
        order = self.stretch.order
        while True:
            while self._again:
                self._look(heappop(self._again))
            while self._ready and not self._first <= self._ready[0][1].position < self._bound:
                heappop(self._ready)
            if self._ready or self._seen == len(order):
                return self._ready[0][1] if self._ready else None
            self._seen += 1
            self._look(order[self._seen - 1])

    def urgency(self, position: int) -> int:
        """The less, the sooner its calls are to be made: the head's first, as what follows is committed behind it."""
        return -1 if position == self.head else self.stretch.rank[position]

    def take(self) -> None:
        """The call that :meth:`peek` gave is made."""
        heappop(self._ready)

    def is_wanted(self, position: int) -> bool:
        """Whether the run will come there, as far as is known."""
        return position < self._bound

    def at_turn(self) -> None:
        """The turn of the step at the head has come: it is not looked at any more."""
        self._first = self.head + 1
        self._resolve(self.head)

    def finished(self, position: int, transition: Transition) -> None:
        """A call has ended, at its turn or before; ``transition`` is what its commit will do."""
        if transition.failed:
            self._bound = min(self._bound, position + 1)  # the run will end there
        else:
            self._set(position, transition.variables)

    def committed(self) -> None:
        """The step at the head was committed, and the run goes on behind it."""
        position = self.head
        self.head += 1
        self._first = max(self._first, self.head)
        self._values.pop(position, None)
        self._reading.pop(position, None)
        self._resolve(position)
        self._resolved.discard(position)
        for waiting in (self._waiting, self._waiting_for_commit):
            for each in waiting.pop(position, ()):
                heappush(self._again, each)

    def unresolved_calls(self, position: int) -> Iterator[Step]:
        """The steps from the head to before ``position`` that call a tool, and nobody knows yet with what inputs."""
        steps = self.stretch.steps
        if self._unresolved is None:  # not every run asks
            calls = (
                at for at in range(self.head, len(steps)) if isinstance(steps[at].step.instruction, Calling)
            )
            self._unresolved = {at: None for at in calls if at not in self._resolved}
        for at in self._unresolved:
            if at >= position:
                return
            yield steps[at].step

    def _set(self, position: int, variables: Mapping[str, Json]) -> None:
        self._values[position] = variables
        for each in self._waiting.pop(position, ()):
            heappush(self._again, each)

    def _look(self, position: int) -> None:
        """Start the step on what is known, or note what it waits for."""
        each = self.stretch.steps[position]
        if not self._first <= position < self._bound:
            return
        if each.role is Role.LOOKS and each.changed_at >= self.head:
            self._waiting_for_commit[each.changed_at].append(position)
            return
        reading = self._reading.get(position)
        if reading is None:
            reading = self._reading[position] = _Reading(tuple(each.sources.items()))
        while reading.done < len(reading.sources):
            unknown = self._read(*reading.sources[reading.done], reading.variables)
            if unknown is not None:
                self._waiting[unknown].append(position)
                return
            reading.done += 1
        del self._reading[position]
        self._start(position, State(reading.variables, each.step.seq_no, visits=self._state.visits))

    def _resolve(self, position: int) -> None:
        self._resolved.add(position)
        if self._unresolved is not None:
            self._unresolved.pop(position, None)

    def _read(self, name: str, source: int, variables: dict[str, Json]) -> int | None:
        """Add the variable as its source leaves it, or give the position of who has to end first."""
        while source >= self.head:
            values = self._values.get(source)
            if values is None:
                return source
            if name in values:
                variables[name] = values[name]
                return None
            assert name == ERROR, "only the error may be left as it was"
            source = self.stretch.steps[source].error_before
        # Nobody between the source and the reader sets it, so it is the committed one.
        if name in self._state.variables:
            variables[name] = self._state.variables[name]
        return None

    def _start(self, position: int, state: State) -> None:
        request = self._begin(state)
        if isinstance(request, CallNeeded | FanNeeded):
            self._resolve(position)
            heappush(self._ready, (self.stretch.rank[position], Ready(position, request)))
        elif isinstance(request, Transition) and request.failed:
            self._bound = min(self._bound, position)  # the run will end there
        elif isinstance(request, Transition) and self.stretch.steps[position].role is Role.COMPUTES:
            self._set(position, request.variables)
        # What fails and is handled is left to its turn.
