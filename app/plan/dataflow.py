"""What each step reads and writes, and where control goes from it.

Everything that orders steps starts here: the checker, the interpreter's loop counters, the scheduler.
Graphs speak of steps by their index in ``plan.steps``; what comes from or goes to a person, by ``seq_no``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from app.plan.components import cyclic
from app.plan.expressions import compile_expression
from app.plan.model import Assign, Calling, Instruction, Json, Jump, Plan, Step
from app.plan.paths import Path
from app.plan.references import reads_of

FINAL_ANSWER: Final = "final_answer"
ERROR: Final = "error"
ITEM_NAMES: Final = frozenset({"item", "index"})
"""What a ``for_each`` sets while it computes the arguments of one call."""

_NO_RESULTS: Final[Mapping[str, Json]] = {}
_NO_NAMES: Final[frozenset[str]] = frozenset()
_CONDITION: Final = ("parameters", "condition")
_TARGET: Final = ("parameters", "target_seq")
_IF_TRUE: Final = ("parameters", "jump_if_true")
_IF_FALSE: Final = ("parameters", "jump_if_false")


class Slot(NamedTuple):
    """A place in a step that is computed when the step runs.

    ``path`` is where the place is in the step, ``value`` what stands there, ``hidden`` the names that the
    step itself provides there, so that they don't count as read.
    """

    path: Path
    value: Json
    kind: Literal["template", "expression"] = "template"
    hidden: frozenset[str] = _NO_NAMES

    def reads(self) -> frozenset[str]:
        """The variables read here. Raises ``TemplateSyntaxError`` or ``ExpressionSyntaxError``."""
        if self.kind == "expression":
            return compile_expression(self.value).reads
        names = reads_of(self.value)
        return names - self.hidden if self.hidden else names


def slots(instruction: Instruction) -> list[Slot]:
    """Every place of the instruction that may read variables. ``reasoning`` has none: its text stays text."""
    if isinstance(instruction, Assign):
        values = instruction.values.items()
        return [Slot(("parameters", name), value) for name, value in values if not _is_plain(value)]
    if isinstance(instruction, Calling):
        return _calling_slots(instruction)
    return _jump_slots(instruction) if isinstance(instruction, Jump) else []


def _calling_slots(call: Calling) -> list[Slot]:
    hidden = _NO_NAMES if call.for_each is None else ITEM_NAMES
    found = [
        Slot(("parameters", "tool_params", name), value, "template", hidden)
        for name, value in call.tool_params.items()
        if not _is_plain(value)
    ]
    return found if call.for_each is None else [Slot(("parameters", "for_each"), call.for_each), *found]


def _jump_slots(jump: Jump) -> list[Slot]:
    if jump.condition is not None:
        return [Slot(_CONDITION, jump.condition, "expression")]
    asked = (("condition_prompt", jump.condition_prompt), ("context", jump.context))
    return [Slot(("parameters", name), value) for name, value in asked if not _is_plain(value)]


def _is_plain(value: Json) -> bool:
    """Whether the value is seen at once to hold no reference."""
    if type(value) is str:
        return "${" not in value
    return not isinstance(value, dict | list)


def reads(step: Step) -> frozenset[str]:
    """The variables the step needs before it runs, ``item`` and ``index`` of its own ``for_each`` left out.

    Raises ``TemplateSyntaxError`` or ``ExpressionSyntaxError`` where something in it doesn't parse.
    """
    return frozenset().union(*(slot.reads() for slot in slots(step.instruction)))


def writes(step: Step) -> frozenset[str]:
    """The variables the step may set, ``error`` among them where it handles its own failure."""
    instruction = step.instruction
    names = frozenset(results(instruction))
    if isinstance(instruction, Calling) and instruction.on_error.action != "fail":
        return names | {ERROR}
    return names


def results(instruction: Instruction) -> Mapping[str, Json]:
    """The variables, as keys, that the instruction sets whenever it does not fail."""
    if isinstance(instruction, Assign):
        return instruction.values
    return instruction.outputs if isinstance(instruction, Calling) else _NO_RESULTS


class Target(NamedTuple):
    """A jump of a step: where it is written and the ``seq_no`` it names."""

    path: Path
    seq_no: int


def targets(instruction: Instruction) -> tuple[Target, ...]:
    """Every ``seq_no`` the instruction may jump to, in the order of the documentation."""
    if isinstance(instruction, Jump):
        if instruction.target is not None:
            return (Target(_TARGET, instruction.target),)
        found = (Target(_IF_TRUE, instruction.if_true),) if instruction.if_true is not None else ()
        if instruction.if_false is None:
            return found
        return (*found, Target(_IF_FALSE, instruction.if_false))
    if isinstance(instruction, Calling) and instruction.on_error.target is not None:
        return (Target(("parameters", "on_error", "goto"), instruction.on_error.target),)
    return ()


class Edge(NamedTuple):
    """A way from one step to another. ``failed``: taken by ``on_error: goto``, before outputs are set."""

    target: int
    failed: bool = False


Edges: TypeAlias = tuple[tuple[Edge, ...], ...]


@dataclass(frozen=True)
class ControlFlow:
    """``edges`` of each step by index. ``runs_off``: whether the run may go past the last step."""

    edges: Edges
    runs_off: bool

    @cached_property
    def leads_back(self) -> bool:
        """Whether some way leads to the same step or an earlier one: without, there are no loops."""
        return any(edge.target <= index for index, ways in enumerate(self.edges) for edge in ways)


def control_flow(plan: Plan) -> ControlFlow:
    """The control-flow graph. Jumps to nowhere are left out; a repeated ``seq_no`` means its first step."""
    index_of: dict[int, int] = {}
    for index, step in enumerate(plan.steps):
        index_of.setdefault(step.seq_no, index)
    edges = [_ways(step.instruction, index, index_of) for index, step in enumerate(plan.steps)]
    if not edges:
        return ControlFlow((), runs_off=True)
    last = len(edges) - 1
    # The way on from the last step leads past the plan.
    edges[last] = tuple(edge for edge in edges[last] if edge.target <= last)
    return ControlFlow(tuple(edges), falls_through(plan.steps[last].instruction))


def _ways(instruction: Instruction, index: int, index_of: Mapping[int, int]) -> tuple[Edge, ...]:
    way_on = (Edge(index + 1),) if falls_through(instruction) else ()
    jumps = () if isinstance(instruction, Assign) else targets(instruction)
    if not jumps:
        return way_on
    failed = isinstance(instruction, Calling)
    found = [Edge(index_of[target.seq_no], failed) for target in jumps if target.seq_no in index_of]
    return tuple(dict.fromkeys((*found, *way_on)))


def falls_through(instruction: Instruction) -> bool:
    """Whether the next step may follow: not after a jump that always jumps, nor where the run ends."""
    if isinstance(instruction, Jump):
        return instruction.target is None and instruction.if_false is None
    return FINAL_ANSWER not in results(instruction)


def successors(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Of each step, by index, the steps that may follow it. One that sets ``final_answer`` ends the run."""
    return tuple(tuple(dict.fromkeys(edge.target for edge in ways)) for ways in control_flow(plan).edges)


def loop_steps(plan: Plan) -> frozenset[int]:
    """The ``seq_no`` of every step that can come round again: those on a cycle of the graph."""
    return frozenset(
        plan.steps[index].seq_no for component in cyclic(successors(plan)) for index in component
    )
