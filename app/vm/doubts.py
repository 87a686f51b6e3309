"""Finds what a branch waits for, without calling anything."""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import StepError
from app.tools.base import Tool
from app.vm.caller import Caller, MustWait, Request, Tools
from app.vm.decisions import Waiting
from app.vm.effects import CallNeeded, FanNeeded
from app.vm.fans import Fan
from app.vm.interpreter import Interpreter
from app.vm.state import FAILED, RUNNING, State
from app.vm.work import request_of


def find_doubts(state: State, interpreter: Interpreter, tools: Tools, caller: Caller) -> list[Waiting]:
    """The calls of the next step that the run would have to wait for: none, or the first, and the other items that
    would wait after it."""
    if state.status not in (RUNNING, FAILED) or state.pc is None:
        return []
    effect = interpreter.begin(state)
    if not isinstance(effect, CallNeeded | FanNeeded):
        return []
    try:
        tool = tools.find(effect.tool_name)
    except StepError:
        return []
    if tool.effect != "irreversible":
        return []
    doubts: list[Waiting] = []
    for request in _requests(effect, tool, caller):
        try:
            settled = caller.settled(request)
            if settled is None and not doubts:
                break  # a call that the run would make first
            fails = settled is not None and settled.outcome.error is not None
            if fails and isinstance(effect, FanNeeded) and effect.stops_at_error:
                break
        except MustWait as wait:
            doubts.append(wait.waiting)
    return doubts


def _requests(effect: CallNeeded | FanNeeded, tool: Tool, caller: Caller) -> Iterator[Request]:
    """The calls that have no outcome yet, in order."""
    if isinstance(effect, CallNeeded):
        yield request_of(effect, tool, effect.inputs)
        return
    fan = Fan(caller, effect, tool, lambda done: None)
    fan.take_kept(caller.ledger.effects(caller.branch, effect.seq_no, effect.visit))
    for item, is_known in fan.calls():
        if not is_known and item is not None:
            yield request_of(effect, tool, effect.inputs(item), item)
