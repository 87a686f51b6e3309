"""The scheduler: makes the calls that steps need, those at their turn and those that may start before it.

A call that starts early changes nothing in the history: at its turn a step says with authority what it needs, and
only where that is the very thing that was asked early is the answer taken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Final

from app.errors import StepError
from app.plan.model import Calling, Step
from app.tools.base import Tool
from app.tools.llm import MODEL_TOOLS
from app.vm.arrivals import Arrivals
from app.vm.caller import Answer, Caller, Request, Tools
from app.vm.calls import Outcome
from app.vm.effects import CallNeeded, FanNeeded
from app.vm.events import Event, ItemDone, StepStarted
from app.vm.fans import Fan
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.kept import KeptOutcomes
from app.vm.keys import KEYED
from app.vm.lookahead import Lookahead, Ready
from app.vm.records import Record, call_record, fan_record, recorded_outcome
from app.vm.scribe import Scribe
from app.vm.state import COMPLETED, State, Transition
from app.vm.stretches import Role, Stretches
from app.vm.taken import TakenAnswers
from app.vm.work import SingleCall, Work

WIDTH: Final = 8
"""Calls under way at once, where nobody says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class _Planned:
    """A step whose calls are being made, and where it stands in the stretch."""

    position: int
    step: Step
    work: Work


class Scheduler:
    """Makes the calls of one run, at most ``width`` at once. Belongs to the machine's thread."""

    def __init__(
        self,
        *,
        scribe: Scribe,
        interpreter: Interpreter,
        tools: Tools,
        caller: Caller,
        interrupts: Interrupts,
        tell: Callable[[Event], None],
        width: int = WIDTH,
    ) -> None:
        self._scribe = scribe
        self._interpreter = interpreter
        self._tools = tools
        self._caller = caller
        self._interrupts = interrupts
        self._tell = tell
        self._width = width
        self._stretches = Stretches(interpreter.plan, self._role)
        self._kept = KeptOutcomes(caller.ledger, caller.branch)
        self._arrivals = Arrivals(self._kept)
        self._round = caller.performer.open_round()
        self._ahead: Lookahead | None = None
        self._planned: dict[int, _Planned] = {}
        self._taken = TakenAnswers(caller)
        self._open: list[int] = []
        """Positions of steps that have calls to make."""

    def perform(self, effect: CallNeeded | FanNeeded) -> Record:
        """Get done what the step at the head needs. Raises :class:`app.vm.caller.MustWait`."""
        try:
            tool = self._tools.find(effect.tool_name)
        except StepError as error:
            return self._refuse(effect, str(error))
        planned = self._at_turn(effect, tool)
        if self._is_alone(planned):
            return self._perform_here(planned.work)
        while not planned.work.is_done:
            self._issue()
            if not planned.work.is_done:
                self._wait()
        self._issue()
        return planned.work.record()

    def committed(self, made: Transition) -> None:
        """The step at the head was committed."""
        ahead = self._ahead
        if ahead is None:
            return
        self._taken.committed(ahead.head)
        planned = self._planned.pop(ahead.head, None)
        if planned is not None and not (made.failed and isinstance(planned.work, Fan)):
            # What a call gave that did not do is not kept for the next try; good items are.
            self._arrivals.forget(planned.work)
            self._kept.committed(planned.work.effect.seq_no, planned.work.effect.visit)
        if made.failed:
            return
        steps, following = ahead.stretch.steps, ahead.head + 1
        if following < len(steps) and steps[following].step.seq_no == self._scribe.state.pc:
            ahead.committed()
        else:
            self._leave_stretch()

    @property
    def is_flushing(self) -> bool:
        """Whether reads that are committed now may wait a moment for a flush: calls are under way, or more is due."""
        if self._round.under_way or self._ahead is None:
            return self._round.under_way > 0
        following = self._planned.get(self._ahead.stretch.next_call[self._ahead.head])
        return following is not None and following.work.is_done

    def tend(self) -> None:
        """Between two steps: take what has arrived, begin what may begin. Does not wait."""
        if self._round.under_way:
            if self._round.has_news:
                self._round.settle()
            self._issue()
        self._secure_overdue()

    def wind_up(self) -> None:
        """The run ends, and all is flushed. Calls under way have a moment to end: what they give is kept."""
        self._leave_stretch()
        self._round.stop()
        while self._round.under_way:
            self._wait()
        self._round.close()
        self._arrivals.save()
        self._kept.end(completed=self._scribe.state.status == COMPLETED)

    def abandon(self) -> None:
        """The run is cut off. Calls under way are told to end; what has arrived is kept if it can be."""
        self._leave_stretch()
        self._caller.performer.cancellation.request()
        # Another error is on its way already, and that is the one to be told.
        with suppress(Exception):
            self._round.stop()
            self._round.settle()
            self._arrivals.save()
        self._round.close()

    def _at_turn(self, effect: CallNeeded | FanNeeded, tool: Tool) -> _Planned:
        """The step at the head with its calls: those that started early, if it asks for the same."""
        if self._ahead is None:
            self._ahead = self._look_ahead(effect.seq_no)
        self._ahead.at_turn()
        planned = self._planned.get(self._ahead.head)
        if planned is None or not planned.work.is_for(effect):
            planned = self._plan(self._ahead.head, effect, tool)
        return planned

    def _look_ahead(self, seq_no: int) -> Lookahead:
        scribe, limits = self._scribe, self._scribe.limits
        stretch = self._stretches.at(seq_no)
        if self._taken.in_program_order:
            stretch = stretch.in_program_order()
        steps_left = limits.get("steps", scribe.state.steps + len(stretch.steps)) - scribe.state.steps
        return Lookahead(stretch, scribe.state, partial(scribe.begin, self._interpreter), steps_left)

    def _role(self, call: Calling) -> Role:
        try:
            tool = self._tools.find(call.tool_name)
        except StepError:
            return Role.WAITS
        if tool.effect in KEYED:
            return Role.CHANGES
        return Role.CALLS if tool.effect == "pure" or tool.name in MODEL_TOOLS else Role.LOOKS

    def _plan(self, position: int, effect: CallNeeded | FanNeeded, tool: Tool) -> _Planned:
        step = self._tell_started(effect)
        work: Work
        if isinstance(effect, FanNeeded):
            count = effect.count
            work = Fan(self._caller, effect, tool, lambda done: self._tell(ItemDone(step, done, count)))
        else:
            work = SingleCall(effect, tool)
        planned = self._planned[position] = _Planned(position, step, work)
        work.take_kept(self._kept.of_step(effect.seq_no, effect.visit))
        self._taken.take(position, work)
        if work.is_done:
            self._finish(planned)
        else:
            self._open.append(position)
        return planned

    def _is_alone(self, planned: _Planned) -> bool:
        """Whether it is one call with nothing to do beside it."""
        if not isinstance(planned.work, SingleCall) or self._round.under_way:
            return False
        return self._open == [planned.position] and self._peek() is None

    def _perform_here(self, work: Work) -> Record:
        """Nothing is faster, and Ctrl-C reaches the tool itself."""
        self._open.clear()
        self._secure()
        request = work.following()
        with self._interrupts.awaiting_effect():
            answer = self._caller.answer(request)
        work.take(None, answer)
        return work.record()

    def _issue(self) -> None:
        """Begin calls as long as there is room."""
        while self._round.under_way < self._width:
            planned = self._next()
            if planned is None:
                return
            self._begin(planned)

    def _next(self) -> _Planned | None:
        """The step whose call is to be made next."""
        while True:
            ahead, ready = self._ahead, self._peek()
            if ahead is None:
                return None
            self._open = [position for position in self._open if self._has_more(position)]
            first = min(self._open, key=ahead.urgency, default=None)
            if first is not None and (ready is None or ahead.urgency(first) < ahead.urgency(ready.position)):
                may_begin = self._may_be_early and ahead.is_wanted(first)
                return self._planned[first] if first == ahead.head or may_begin else None
            if ready is None:
                return None
            ahead.take()
            tool = self._tools.find(ready.effect.tool_name)
            unresolved = ahead.unresolved_calls(ready.position)
            if not self._taken.leaves(ready.position, tool, unresolved):
                self._plan(ready.position, ready.effect, tool)

    def _has_more(self, position: int) -> bool:
        planned = self._planned.get(position)
        return planned is not None and planned.work.has_more

    def _peek(self) -> Ready | None:
        return self._ahead.peek() if self._ahead is not None and self._may_be_early else None

    @property
    def _may_be_early(self) -> bool:
        """Not when the run's time is over: then calls are cancelled."""
        return self._width > 1 and not self._caller.performer.cancellation.requested

    def _begin(self, planned: _Planned) -> None:
        """Make the next call of a step, or take the answer that needs none."""
        request = planned.work.following()
        tool = request.tool
        if tool.effect in KEYED:
            self._secure()
        settled = self._caller.settled(request)
        if settled is not None:
            self._take(planned, request, settled)
            return
        call, hooks = self._caller.call(request), self._caller.hooks(tool)
        self._round.start(call, hooks, partial(self._arrive, planned, request))

    def _arrive(self, planned: _Planned, request: Request, performed: Outcome) -> None:
        if self._caller.was_cut_short(performed) and not self._is_at_head(planned):
            return  # the run's time is over: it will not come here
        answer = self._caller.answered(request, performed)
        self._arrivals.add(planned.work, request.place.item, answer.outcome)
        self._take(planned, request, answer)

    def _is_at_head(self, planned: _Planned) -> bool:
        return self._ahead is not None and self._planned.get(self._ahead.head) is planned

    def _take(self, planned: _Planned, request: Request, answer: Answer) -> None:
        planned.work.take(request.place.item, answer)
        if self._planned.get(planned.position) is not planned:
            return  # nobody asks for it any more
        if planned.work.is_done:
            self._finish(planned)
        elif planned.position not in self._open:
            self._open.append(planned.position)

    def _finish(self, planned: _Planned) -> None:
        """All answers are there: steps behind may go on with what the commit will set."""
        assert self._ahead is not None
        outcome = recorded_outcome(planned.work.record())
        state = State(pc=planned.step.seq_no)
        transition = self._interpreter.finish(state, planned.work.effect, outcome)
        self._ahead.finished(planned.position, transition)

    def _wait(self) -> None:
        """Until something happened, or has to be put on stable storage."""
        self._secure_overdue()
        overdue_in = (self._arrivals.seconds_left, self._scribe.journal.seconds_left)
        with self._interrupts.awaiting_effect():
            self._round.wait(min((each for each in overdue_in if each is not None), default=inf))
        self._round.settle()

    def _secure_overdue(self) -> None:
        """What was paid for is safe after a moment; commits of what is kept already may be gathered for longer."""
        if self._arrivals.seconds_left == 0:
            self._arrivals.save(self._due())
            if self._arrivals.need_flush:
                self._flush()
            self._arrivals.secured()
        if self._scribe.journal.seconds_left == 0:
            self._flush()

    def _secure(self) -> None:
        """Put everything on stable storage that has arrived or is committed."""
        self._arrivals.save(self._due())
        self._flush()
        self._arrivals.secured()

    def _flush(self) -> None:
        self._scribe.journal.flush()
        self._kept.drop_committed()

    def _due(self) -> set[Work]:
        """The calls with an answer before which none is without: their commits come next."""
        due: set[Work] = set()
        if self._ahead is not None:
            next_call = self._ahead.stretch.next_call
            position = next_call[self._ahead.head]
            while (planned := self._planned.get(position)) is not None and planned.work.is_done:
                due.add(planned.work)
                position = next_call[position + 1]
        return due

    def _leave_stretch(self) -> None:
        self._ahead = None
        self._planned.clear()
        self._taken.clear()
        self._open.clear()

    def _tell_started(self, effect: CallNeeded | FanNeeded) -> Step:
        step = self._interpreter.instruction(effect.seq_no).step
        self._tell(StepStarted(step, effect.visit, effect.count if isinstance(effect, FanNeeded) else None))
        return step

    def _refuse(self, effect: CallNeeded | FanNeeded, message: str) -> Record:
        """There is no tool to call."""
        self._tell_started(effect)
        outcome = self._caller.without_call(error=message)
        if isinstance(effect, FanNeeded):
            return fan_record(effect, None, [outcome] * min(1, effect.count))
        return call_record(effect, None, outcome)
