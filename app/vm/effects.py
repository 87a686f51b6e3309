"""What a step needs from outside, and what it is given back. Plain data between interpreter and machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from app.plan.model import Json, Retry


@dataclass(frozen=True, slots=True)
class CallNeeded:
    """One call of a tool. ``inputs`` are resolved arguments by parameter.

    ``handles_errors``: the step says what follows an error (its ``on_error`` is not ``fail``).
    ``outputs`` names the keys that are wanted of the result, where there are several.
    """

    seq_no: int
    visit: int
    tool_name: str
    inputs: Mapping[str, Json]
    timeout: float | None = None
    retry: Retry | None = None
    handles_errors: bool = False
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FanNeeded:
    """One call an item of a ``for_each``.

    ``shared`` holds the arguments that are the same for all; ``columns`` those that differ: parameter → one value
    an item. ``broken`` are items whose arguments could not be resolved: index → message. ``stops_at_error``:
    items behind the first that fails are not wanted.
    """

    seq_no: int
    visit: int
    tool_name: str
    count: int
    shared: Mapping[str, Json]
    columns: Mapping[str, Sequence[Json]]
    broken: Mapping[int, str] = field(default_factory=dict)
    timeout: float | None = None
    retry: Retry | None = None
    handles_errors: bool = False
    stops_at_error: bool = True
    outputs: tuple[str, ...] = ()

    def inputs(self, item: int) -> dict[str, Json]:
        """The arguments of one item."""
        return {**self.shared, **{name: column[item] for name, column in self.columns.items()}}


@dataclass(frozen=True, slots=True)
class JudgementNeeded:
    """A model's answer to a condition: true or false, with an explanation."""

    seq_no: int
    visit: int
    prompt: str
    context: Json = None


Effect: TypeAlias = CallNeeded | FanNeeded | JudgementNeeded


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an effect gave: ``value``, or the text of its ``error``."""

    value: Json = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FanOutcome:
    """What the items gave, in their order; ``None`` where ``errors`` has the item.

    Where the effect stops at an error, both end with the first item that failed.
    """

    values: Sequence[Json]
    errors: Mapping[int, str] = field(default_factory=dict)
