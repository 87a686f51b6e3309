"""Finds what a branch waits for, without calling anything."""

from __future__ import annotations

from app.errors import StepError
from app.tools.base import Tool
from app.vm.caller import Caller, MustWait, Tools
from app.vm.decisions import Waiting
from app.vm.effects import CallNeeded, FanNeeded
from app.vm.fans import Fan
from app.vm.interpreter import Interpreter
from app.vm.state import FAILED, RUNNING, State
from app.vm.work import SingleCall, Work


def find_doubt(state: State, interpreter: Interpreter, tools: Tools, caller: Caller) -> Waiting | None:
    """The call that the next step would have to wait for, or ``None``."""
    if state.status not in (RUNNING, FAILED) or state.pc is None:
        return None
    effect = interpreter.begin(state)
    if not isinstance(effect, CallNeeded | FanNeeded):
        return None
    try:
        tool = tools.find(effect.tool_name)
        _settle(effect, tool, caller)
    except MustWait as wait:
        return wait.waiting
    except StepError:
        return None
    return None


def _settle(effect: CallNeeded | FanNeeded, tool: Tool, caller: Caller) -> None:
    """Raise :class:`MustWait` where the run would before it calls anything."""
    if tool.effect != "irreversible":
        return
    work: Work
    if isinstance(effect, FanNeeded):
        work = Fan(caller, effect, tool, lambda done: None)
        work.take_kept(caller.ledger.effects(caller.branch, effect.seq_no, effect.visit))
    else:
        work = SingleCall(effect, tool)
    while work.has_more:
        request = work.following()
        answer = caller.settled(request)
        if answer is None:
            return
        work.take(request.place.item, answer)
