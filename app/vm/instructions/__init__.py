"""The instructions, one file each. This table is all there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.plan.model import Step
from app.vm.instructions.assign import AssignInstruction
from app.vm.instructions.base import Instruction
from app.vm.instructions.calling import CallingInstruction
from app.vm.instructions.jmp import JumpInstruction
from app.vm.instructions.reasoning import ReasoningInstruction

INSTRUCTIONS: Final[dict[str, Callable[[Step, int | None], Instruction]]] = {
    "assign": AssignInstruction,
    "calling": CallingInstruction,
    "jmp": JumpInstruction,
    "reasoning": ReasoningInstruction,
}
"""Step type → what executes it, made from the step and the ``seq_no`` of the step behind it."""
