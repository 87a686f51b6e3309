"""``assign``: compute all values from the state before the step, then set them together."""

from __future__ import annotations

from app.plan.budget import Budget
from app.plan.model import Assign, Step
from app.plan.references import compile_assign_value
from app.vm.instructions.base import Instruction
from app.vm.state import State, Transition

_NAMED_IN_SUMMARY = 5


class AssignInstruction(Instruction):
    __slots__ = ("_summary", "_templates")

    def __init__(self, step: Step, next_pc: int | None) -> None:
        super().__init__(step, next_pc)
        assert isinstance(step.instruction, Assign)
        values = step.instruction.values
        self._templates = [(name, compile_assign_value(value)) for name, value in values.items()]
        names = list(values)
        more = f" and {len(names) - _NAMED_IN_SUMMARY} more" if len(names) > _NAMED_IN_SUMMARY else ""
        self._summary = "assign -> " + ", ".join(names[:_NAMED_IN_SUMMARY]) + more

    def begin(self, state: State) -> Transition:
        variables = state.variables
        budget = Budget()  # one for all values: many small ones may not add up to more than a large one
        values = {name: template.resolve(variables, budget) for name, template in self._templates}
        return Transition(self.next_pc, values, summary=self._summary)
