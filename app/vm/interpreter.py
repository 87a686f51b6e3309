"""The interpreter: ``(plan, state) → transition, or the effect it needs``. Pure.

It looks up the instruction and runs it; it knows no instruction by name, no tool, no clock. What goes wrong within
a step (:class:`app.errors.StepError`) becomes a transition that says so.
"""

from __future__ import annotations

from app.errors import StepError
from app.plan.dataflow import loop_steps
from app.plan.model import Plan
from app.vm.effects import Effect, FanOutcome, Outcome
from app.vm.instructions import INSTRUCTIONS
from app.vm.instructions.base import Instruction
from app.vm.state import State, StepFailure, Transition


class Interpreter:
    """Executes one plan. Holds the compiled steps and no state."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop_steps = loop_steps(plan)
        self._steps = {step.seq_no: step for step in plan.steps}
        following = [step.seq_no for step in plan.steps[1:]]
        self._next: dict[int, int | None] = dict(zip(self._steps, [*following, None], strict=True))
        self._compiled: dict[int, Instruction] = {}

    @property
    def start(self) -> int | None:
        """The ``seq_no`` of the first step."""
        return self.plan.steps[0].seq_no if self.plan.steps else None

    def instruction(self, seq_no: int) -> Instruction:
        """The compiled step, made when it is first needed."""
        compiled = self._compiled.get(seq_no)
        if compiled is None:
            step = self._steps[seq_no]
            compiled = INSTRUCTIONS[step.type](step, self._next[seq_no])
            self._compiled[seq_no] = compiled
        return compiled

    def begin(self, state: State) -> Transition | Effect:
        """Start the step at ``state.pc``: it is done, it failed, or it needs an effect first."""
        assert state.pc is not None, "the run has ended"
        try:
            request = self.instruction(state.pc).begin(state)
        except StepError as error:
            return self.fail(state, str(error))
        return self._land(state.pc, request) if isinstance(request, Transition) else request

    def finish(self, state: State, effect: Effect, outcome: Outcome | FanOutcome) -> Transition:
        """End the step that needed ``effect``. Called with the state that :meth:`begin` was called with."""
        assert state.pc is not None, "the run has ended"
        try:
            transition = self.instruction(state.pc).finish(state, effect, outcome)
        except StepError as error:
            return self.fail(state, str(error))
        return self._land(state.pc, transition)

    def fail(self, state: State, message: str) -> Transition:
        """The step at ``state.pc`` failed for a reason that the plan may handle."""
        assert state.pc is not None, "the run has ended"
        failure = StepFailure(state.pc, message)
        instruction = self._compiled.get(state.pc)
        if instruction is not None:
            return self._land(state.pc, instruction.fail(failure))
        return Transition(state.pc, failure=failure, failed=True)

    def _land(self, seq_no: int, transition: Transition) -> Transition:
        """The transition, or the failure of its step where it leads nowhere (the checker finds that before)."""
        target = transition.next_pc
        if target is None or target in self._steps:
            return transition
        failure = StepFailure(seq_no, f"there is no step {target} to go to")
        return Transition(seq_no, failure=failure, failed=True, summary=self._steps[seq_no].type)
