"""``jmp``: go on at another step; always, by an expression, or by a model's judgement."""

from __future__ import annotations

from app.errors import ExpressionFailed, StepError
from app.plan.expressions import Expression, compile_expression
from app.plan.model import Json, Jump, Step
from app.plan.references import compile_template
from app.plan.values import type_name
from app.vm.effects import Effect, FanOutcome, JudgementNeeded, Outcome
from app.vm.instructions.base import Instruction
from app.vm.state import State, Transition


class JumpInstruction(Instruction):
    __slots__ = ("_condition", "_context", "_jump", "_prompt")

    def __init__(self, step: Step, next_pc: int | None) -> None:
        super().__init__(step, next_pc)
        assert isinstance(step.instruction, Jump)
        self._jump = step.instruction
        condition, prompt = self._jump.condition, self._jump.condition_prompt
        self._condition: Expression | None = compile_expression(condition) if condition is not None else None
        self._prompt = compile_template(prompt) if prompt is not None else None
        self._context = compile_template(self._jump.context)

    def begin(self, state: State) -> Transition | Effect:
        if self._condition is not None:
            return self._go(self._condition.evaluate(state.variables))
        if self._prompt is not None:
            prompt = self._prompt.resolve(state.variables)
            context = self._context.resolve(state.variables)
            return JudgementNeeded(self.seq_no, state.visit(self.seq_no), str(prompt), context)
        return Transition(self._jump.target, summary=f"jmp -> {self._jump.target}")

    def finish(self, state: State, effect: Effect, outcome: Outcome | FanOutcome) -> Transition:
        assert isinstance(outcome, Outcome)
        if outcome.error is not None:
            raise StepError(outcome.error)
        answer = outcome.value.get("result") if isinstance(outcome.value, dict) else None
        return self._go(answer)

    def _go(self, answer: Json) -> Transition:
        if not isinstance(answer, bool):
            raise ExpressionFailed(f"a condition must be true or false, this one gave {type_name(answer)}")
        target = self._jump.if_true if answer else self._jump.if_false
        next_pc = self.next_pc if target is None else target
        arrow = "the end" if next_pc is None else str(next_pc)
        return Transition(next_pc, summary=f"jmp: {str(answer).lower()} -> {arrow}")
