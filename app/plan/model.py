"""A plan as data. Built by :mod:`app.plan.parse`, executed by handlers in :mod:`app.vm.instructions`.

Values are JSON as Python holds it (``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict``)
and are never changed in place once they are part of a plan or a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""A JSON value. ``Any``, as a recursive alias costs more in casts than it finds."""

PLAN_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a call may be made, and the seconds before the second attempt (doubled each time)."""

    max_attempts: int = 1
    backoff: float = 1.0


@dataclass(frozen=True, slots=True)
class OnError:
    """``action`` is ``fail``, ``continue`` or ``goto``; ``target`` is the ``seq_no`` of a ``goto``."""

    action: str = "fail"
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """``values``: variable name → template, in the plan's order."""

    values: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Calling:
    """One call of a tool, or one an item of ``for_each``.

    ``outputs`` maps a variable to the path of its value in the result: ``()`` is the whole result,
    otherwise keys and indices, outermost first. ``for_each`` is ``None`` where the step has none.
    """

    tool_name: str
    tool_params: Mapping[str, Json]
    outputs: Mapping[str, tuple[str | int, ...]]
    for_each: Json | None
    timeout: float | None
    retry: Retry | None
    on_error: OnError

    @property
    def wanted_keys(self) -> tuple[str, ...]:
        """The keys of the result that the step takes; none where it takes the result as a whole."""
        return tuple(dict.fromkeys(str(path[0]) for path in self.outputs.values() if path))


@dataclass(frozen=True, slots=True)
class Jump:
    """``target`` alone: unconditional. Else ``condition`` (expression) or ``condition_prompt`` (model).

    ``if_false`` is ``None`` where the next step follows.
    """

    target: int | None = None
    condition: str | None = None
    condition_prompt: str | None = None
    context: Json | None = None
    if_true: int | None = None
    if_false: int | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Free text of the plan's author: recorded, shown, no effect."""

    texts: Mapping[str, Json]


Instruction: TypeAlias = Assign | Calling | Jump | Reasoning


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, named by ``seq_no``. ``parameters`` is the document's own object, unchanged."""

    seq_no: int
    type: str
    parameters: Mapping[str, Json]
    instruction: Instruction
    description: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The step as it stands in a plan document."""
        document: dict[str, Json] = {"seq_no": self.seq_no, "type": self.type}
        if self.description is not None:
            document["description"] = self.description
        document["parameters"] = dict(self.parameters)
        return document


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in ascending order of ``seq_no``."""

    steps: tuple[Step, ...]
    reasoning: Json | None = None
    version: int = PLAN_VERSION

    def to_json(self) -> dict[str, Json]:
        """The object form of the plan document."""
        document: dict[str, Json] = {"version": self.version}
        if self.reasoning is not None:
            document["reasoning"] = self.reasoning
        document["steps"] = [step.to_json() for step in self.steps]
        return document
