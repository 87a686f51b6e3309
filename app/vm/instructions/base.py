"""What every instruction is: compiled from a step, begun on a state, finished with an outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod

from app.plan.model import Step
from app.vm.effects import Effect, FanOutcome, Outcome
from app.vm.state import State, StepFailure, Transition


class Instruction(ABC):
    """One compiled step. Inner order of all: read inputs, act, advance."""

    __slots__ = ("next_pc", "seq_no", "step")

    def __init__(self, step: Step, next_pc: int | None) -> None:
        self.step = step
        self.seq_no = step.seq_no
        self.next_pc = next_pc

    @abstractmethod
    def begin(self, state: State) -> Transition | Effect:
        """Do the step, or say what it needs. Raises ``StepError``."""

    def finish(self, state: State, effect: Effect, outcome: Outcome | FanOutcome) -> Transition:
        """Go on with what :meth:`begin` asked for. Raises ``StepError``."""
        raise AssertionError(f"{type(self).__name__} needs no effect")

    def fail(self, failure: StepFailure) -> Transition:
        """What an error in this step leads to: by default the run stops before it."""
        return Transition(self.seq_no, failure=failure, failed=True, summary=self.step.type)
