"""What a revision will do, as far as it can be known before it runs. Calls nothing.

The new plan is driven from the fork point with the answers that would be taken again. What a call that will be made
gives is not known, nor is what depends on it: such steps are asked again unless their inputs turn out to be the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from app.errors import StepError
from app.plan.dataflow import FINAL_ANSWER, reads, writes
from app.plan.model import Calling, Jump
from app.tools.base import Tool
from app.vm.caller import Tools
from app.vm.calls import CallError
from app.vm.calls import Outcome as Performed
from app.vm.effects import CallNeeded, FanNeeded, JudgementNeeded, Outcome
from app.vm.interpreter import Interpreter
from app.vm.keys import KEYED, call_key, input_digests, judgement_key, reads_outside
from app.vm.records import Record, call_record, fan_record, judgement_record, recorded_outcome
from app.vm.reuse import Found, Policy, Reuse
from app.vm.state import RUNNING, State, Transition

Will: TypeAlias = Literal["reuse", "run", "ask", "depends", "skip", "fail"]
WILLS: Final[Mapping[str, str]] = {
    "reuse": "takes an earlier result",
    "run": "makes the call",
    "ask": "waits for a decision",
    "depends": "takes an earlier result if its inputs turn out to be the same, else makes the call",
    "skip": "makes no call, as was decided",
    "fail": "fails",
}

_STEPS: Final = 10_000
"""How far is looked ahead."""
_UNKNOWN: Final = CallError("raised", "not known yet")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a step with an effect will do. ``from_commit`` is where an earlier result comes from.

    ``reused`` of ``items`` of a ``for_each`` take an earlier result; both are ``None`` for a single call.
    """

    seq_no: int
    visit: int
    tool: str | None
    effect: str | None
    will: Will
    from_commit: str | None = None
    reused: int | None = None
    items: int | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "seq_no": self.seq_no,
            "visit": self.visit,
            "tool": self.tool,
            "effect": self.effect,
            "will": self.will,
            "from_commit": self.from_commit,
            "reused_items": self.reused,
            "items": self.items,
            "reason": self.reason or WILLS[self.will],
        }


class Foresight:
    """Looks ahead from ``state``, which it uses up; ``reuse`` as well."""

    def __init__(self, interpreter: Interpreter, state: State, tools: Tools, reuse: Reuse) -> None:
        self._interpreter = interpreter
        self._state = state
        self._tools = tools
        self._reuse = reuse
        self._unknown: set[str] = set()
        self._writes_known = True
        self._seen: list[Foreseen] = []
        self._open = True

    def look(self) -> list[Foreseen]:
        """The steps with an effect in the order in which they will run, as far as the way is known."""
        state = self._state
        for _ in range(_STEPS):
            if state.pc is None or state.status != RUNNING or not self._open:
                break
            step = self._interpreter.instruction(state.pc).step
            if reads(step) & self._unknown:
                self._depends()
                continue
            request = self._interpreter.begin(state)
            if isinstance(request, Transition):
                self._apply(request)
            elif isinstance(request, JudgementNeeded):
                self._judgement(request)
            else:
                self._call(request)
        return self._seen

    def _apply(self, transition: Transition) -> None:
        if transition.failed:
            self._open = False
            return
        assert self._state.pc is not None
        self._unknown -= transition.variables.keys()
        seq_no = self._state.pc
        self._state.apply(transition, seq_no, in_loop=seq_no in self._interpreter.loop_steps)

    def _depends(self) -> None:
        """A step that reads what is not known yet."""
        assert self._state.pc is not None
        step = self._interpreter.instruction(self._state.pc).step
        if isinstance(step.instruction, Calling):
            self._foresee_unknown(step.instruction)
        if isinstance(step.instruction, Jump):
            # Which way it goes is not known, so nothing behind it is.
            if step.instruction.condition_prompt is not None:
                self._see(None, "read", "depends")
            self._open = False
            return
        self._pass_by()

    def _foresee_unknown(self, call: Calling) -> None:
        """A call whose inputs are not known."""
        try:
            tool = self._tools.find(call.tool_name)
        except StepError as error:
            self._see(None, None, "fail", reason=str(error))
            return
        if tool.effect not in KEYED:
            self._see(tool.name, tool.effect, "depends")
            return
        self._writes_known = False
        policy = self._policy(tool)
        self._see(tool.name, tool.effect, "ask" if policy == "reuse" else policy)

    def _policy(self, tool: Tool) -> Policy:
        """What is done with a call that changes the outside."""
        if tool.effect == "irreversible" and tool.name in self._reuse.again:
            return self._reuse.policy
        return "run"

    def _pass_by(self) -> None:
        """Go on behind a step whose outputs are not known."""
        assert self._state.pc is not None
        instruction = self._interpreter.instruction(self._state.pc)
        outputs = writes(instruction.step)
        call = instruction.step.instruction
        goes_elsewhere = isinstance(call, Calling) and call.on_error.action == "goto"
        if FINAL_ANSWER in outputs or goes_elsewhere:
            self._open = False
            return
        self._unknown |= outputs
        seq_no = self._state.pc
        in_loop = seq_no in self._interpreter.loop_steps
        self._state.apply(Transition(instruction.next_pc), seq_no, in_loop=in_loop)

    def _judgement(self, effect: JudgementNeeded) -> None:
        found = (
            self._reuse.find(judgement_key(effect.prompt, effect.context)) if self._reuse.enabled else None
        )
        if found is None:
            self._see(None, "read", "run")
            self._open = False
            return
        self._see(None, "read", "reuse", found.origin.commit)
        record = judgement_record(effect, Outcome(found.value), origin=found.origin)
        self._finish(effect, record, ())

    def _call(self, effect: CallNeeded | FanNeeded) -> None:
        try:
            tool = self._tools.find(effect.tool_name)
        except StepError as error:
            self._see(None, None, "fail", reason=str(error))
            self._open = False
            return
        if isinstance(effect, FanNeeded) and effect.count == 0:
            self._finish(effect, self._record(effect, tool, []), effect.outputs)
        elif tool.effect in KEYED:
            self._keyed(effect, tool)
        elif not self._writes_known and reads_outside(tool.name, tool.effect):
            self._see(tool.name, tool.effect, "depends")
            self._pass_by()
        else:
            self._reusable(effect, tool)

    def _keyed(self, effect: CallNeeded | FanNeeded, tool: Tool) -> None:
        """A call that changes the outside. What it gives when it is made is not known, what it writes is."""
        policy = self._policy(tool)
        will: Will = policy
        if policy == "reuse":
            found = self._find_all(effect, tool)
            if all(each is not None and each.origin.commit is not None for each in found):
                self._see(
                    tool.name, tool.effect, will, found[0].origin.commit if found and found[0] else None
                )
                self._finish(effect, self._record(effect, tool, found), effect.outputs)
                return
            will = "ask"
        self._see(tool.name, tool.effect, will)
        self._writes_known = self._writes_known and will == "run"
        self._note_written(effect, tool)
        self._pass_by()

    def _reusable(self, effect: CallNeeded | FanNeeded, tool: Tool) -> None:
        found = self._find_all(effect, tool) if self._reuse.takes(tool) else [None]
        taken = [each for each in found if each is not None]
        count = effect.count if isinstance(effect, FanNeeded) else None
        will: Will = "reuse" if len(taken) == len(found) else "run"
        commit = taken[0].origin.commit if taken and will == "reuse" else None
        reused = len(taken) if count is not None else None
        self._see(tool.name, tool.effect, will, commit, reused=reused, items=count)
        if will == "reuse":
            self._finish(effect, self._record(effect, tool, found), effect.outputs)
        else:
            self._reuse.committed(self._record(effect, tool, found), "", effect.outputs)
            self._pass_by()

    def _find_all(self, effect: CallNeeded | FanNeeded, tool: Tool) -> list[Found | None]:
        """What each call would take, in order."""
        earlier: Counter[Any] = Counter()
        found: list[Found | None] = []
        calls = [effect.inputs] if isinstance(effect, CallNeeded) else map(effect.inputs, range(effect.count))
        broken = effect.broken if isinstance(effect, FanNeeded) else {}
        for item, inputs in enumerate(calls):
            if item in broken:
                found.append(None)
                continue
            digests = input_digests(inputs)
            key = call_key(tool.name, tool.version, tool.effect, digests, self._reuse.written)
            found.append(self._reuse.find(key, effect.outputs, earlier[key]))
            earlier[key] += 1
        return found

    def _note_written(self, effect: CallNeeded | FanNeeded, tool: Tool) -> None:
        """Writes whose outcome is not known still change what is read after them."""
        count = effect.count if isinstance(effect, FanNeeded) else 1
        self._reuse.committed(self._record(effect, tool, [None] * count), "", effect.outputs)

    def _record(self, effect: CallNeeded | FanNeeded, tool: Tool, found: Sequence[Found | None]) -> Record:
        """As the step would be recorded; what is not known counts as no answer."""
        outcomes = [
            Performed("failed", None, _UNKNOWN, 1, 0, 0)
            if each is None
            else Performed("ok", each.value, None, 1, 0, 0, origin=each.origin)
            for each in found
        ]
        if isinstance(effect, FanNeeded):
            return fan_record(effect, tool, outcomes)
        return call_record(effect, tool, outcomes[0])

    def _finish(self, effect: Any, record: Record, outputs: tuple[str, ...]) -> None:
        transition = self._interpreter.finish(self._state, effect, recorded_outcome(record))
        self._apply(transition)
        if not transition.failed:
            self._reuse.committed(record, "", outputs)

    def _see(
        self,
        tool: str | None,
        effect: str | None,
        will: Will,
        from_commit: str | None = None,
        *,
        reused: int | None = None,
        items: int | None = None,
        reason: str = "",
    ) -> None:
        seq_no = self._state.pc
        assert seq_no is not None
        visit = self._state.visit(seq_no)
        self._seen.append(Foreseen(seq_no, visit, tool, effect, will, from_commit, reused, items, reason))
