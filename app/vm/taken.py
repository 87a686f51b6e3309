"""Earlier answers for calls that are asked out of turn: of equal calls each takes the next one, in program order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from app.plan.model import Calling, Step
from app.tools.base import Tool
from app.tools.llm import MODEL_TOOLS
from app.vm.caller import Answer, Caller
from app.vm.keys import CallKey
from app.vm.work import Work

Question: TypeAlias = tuple[CallKey, tuple[str, ...]]
"""A key, and for a model the keys that are wanted of its answer."""


class TakenAnswers:
    """What the steps of a stretch ask that are planned and not committed, by their positions in it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._asked: dict[int, Counter[Question]] = {}
        self._left: dict[int, Tool] = {}

    @property
    def in_program_order(self) -> bool:
        """Whether steps have to be planned in the plan's order."""
        return self._caller.reuse is not None

    def take(self, position: int, work: Work) -> None:
        """Give ``work`` the earlier answers that there are for it."""
        reuse = self._caller.reuse
        if reuse is None or not reuse.takes(work.tool):
            return
        before: Counter[Question] = Counter()
        for place, keys in self._asked.items():
            if place < position:
                before.update(keys)
        asked = self._asked[position] = Counter()
        outputs = work.effect.outputs
        for item, has_answer in work.calls():
            key = work.key_of(item, reuse.written)
            question = key, outputs if work.tool.name in MODEL_TOOLS else ()
            if not has_answer:
                found = reuse.find(key, outputs, before[question] + asked[question])
                if found is not None:
                    work.settle(item, Answer(self._caller.from_earlier(found)))
            asked[question] += 1

    def leaves(self, position: int, tool: Tool, unresolved: Iterable[Step]) -> bool:
        """Whether a call must be left to its turn: one ahead may ask the same, and nobody knows yet."""
        reuse = self._caller.reuse
        if reuse is None or not reuse.takes(tool):
            return False
        ahead = any(left is tool and place < position for place, left in self._left.items())
        if ahead or any(_calls(step, tool) for step in unresolved):
            self._left[position] = tool
            return True
        return False

    def committed(self, position: int) -> None:
        """What the step asked is part of the run from now on."""
        self._asked.pop(position, None)
        self._left.pop(position, None)

    def clear(self) -> None:
        """Another stretch begins."""
        self._asked.clear()
        self._left.clear()


def _calls(step: Step, tool: Tool) -> bool:
    return isinstance(step.instruction, Calling) and step.instruction.tool_name in tool.names
