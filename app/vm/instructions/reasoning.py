"""``reasoning``: recorded and shown, no effect."""

from __future__ import annotations

from app.vm.instructions.base import Instruction
from app.vm.state import State, Transition


class ReasoningInstruction(Instruction):
    __slots__ = ()

    def begin(self, state: State) -> Transition:
        return Transition(self.next_pc, summary="reasoning")
