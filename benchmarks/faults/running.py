"""A plan run by the interpreter, unchecked, with every call made on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import InputError, StackVMError
from app.plan.dataflow import FINAL_ANSWER
from app.plan.model import Json, Plan
from app.tools.arguments import bind_arguments
from app.tools.context import ToolContext
from app.vm.effects import CallNeeded, Effect, FanNeeded, FanOutcome, JudgementNeeded, Outcome
from app.vm.interpreter import Interpreter
from app.vm.state import COMPLETED, RUNNING, State, Transition
from benchmarks.faults.world import World

MAX_STEPS: Final = 250
DOES_NOT_END: Final = "it does not end"


@dataclass(frozen=True, slots=True)
class Trace:
    """``problem`` says why the run is no good; ``None``: it completed with an answer. ``executed`` are seq_nos."""

    executed: frozenset[int]
    problem: str | None
    answer: Json = None


def run(plan: Plan, world: World, chance: int) -> Trace:
    """Run until the end, an error that the plan does not handle, or the limit of steps."""
    world.begin(chance)
    executed: set[int] = set()
    try:
        interpreter = Interpreter(plan)
        state = State(pc=interpreter.start)
        while state.status == RUNNING:
            if state.steps >= MAX_STEPS:
                return Trace(frozenset(executed), DOES_NOT_END)
            seq_no = state.pc
            assert seq_no is not None
            executed.add(seq_no)
            made = interpreter.begin(state)
            if not isinstance(made, Transition):
                made = interpreter.finish(state, made, _perform(made, world))
            state.apply(made, seq_no, in_loop=seq_no in interpreter.loop_steps)
    except InputError as error:  # what does not parse is compiled only when the run comes to it
        return Trace(frozenset(executed), error.message)
    if state.status != COMPLETED:
        return Trace(frozenset(executed), str((state.error or {}).get("message")))
    if FINAL_ANSWER not in state.variables:
        return Trace(frozenset(executed), "it ends without an answer")
    return Trace(frozenset(executed), None, state.variables[FINAL_ANSWER])


def _perform(effect: Effect, world: World) -> Outcome | FanOutcome:
    if isinstance(effect, JudgementNeeded):
        return Outcome({"result": world.judge(effect.prompt, effect.visit), "explanation": "so"})
    if isinstance(effect, CallNeeded):
        return _call(effect, effect.inputs, world)
    outcomes: list[Outcome] = []
    for item in range(effect.count):
        broken = effect.broken.get(item)
        made = Outcome(error=broken) if broken else _call(effect, effect.inputs(item), world)
        outcomes.append(made)
        if made.error and effect.stops_at_error:
            break
    errors = {item: outcome.error for item, outcome in enumerate(outcomes) if outcome.error}
    return FanOutcome([outcome.value for outcome in outcomes], errors)


def _call(effect: CallNeeded | FanNeeded, inputs: Mapping[str, Json], world: World) -> Outcome:
    try:
        tool = world.catalog.find(effect.tool_name)
        arguments = bind_arguments(tool, inputs)
        if tool.context_parameter:
            arguments[tool.context_parameter] = ToolContext(
                generate=lambda prompt, context, form: world.generate(prompt, effect.outputs)
            )
        return Outcome(tool(**arguments))
    except (StackVMError, OSError, ValueError) as error:
        return Outcome(error=str(error))
