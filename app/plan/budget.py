"""The work one evaluation may do: what it copies, compares or writes is counted before it is done.

Sizes multiply quickly (``[[0] * 1000] * 1000``), and a list may hold the same list many times, so nothing is
written out or compared before it was measured.
"""

from __future__ import annotations

from typing import Final

from app.errors import ExpressionFailed
from app.plan.model import Json
from app.plan.values import to_json_text

WORK_LIMIT: Final = 20_000_000
"""Units of one evaluation: a character is one, an item of a list or object is eight. Under half a second."""

ITEM: Final = 8


class Budget:
    """What is left of ``units``."""

    __slots__ = ("left",)

    def __init__(self, units: int = WORK_LIMIT) -> None:
        self.left = units

    def spend(self, units: int) -> None:
        """Count ``units``. Raises ``ExpressionFailed`` where they are not left."""
        if units > self.left:
            raise ExpressionFailed(
                "the limit of size and work is reached", hint="take the work in smaller steps"
            )
        self.left -= units

    def spend_tree(self, value: Json) -> None:
        """Count everything in ``value``, as often as it is there: lists may hold the same list many times."""
        waiting = [value]
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind is str:
                self.spend(len(value))
            elif kind is list:
                self.spend(ITEM * len(value) + ITEM)
                waiting.extend(value)
            elif kind is dict:
                self.spend(ITEM * len(value) + sum(map(len, value)) + ITEM)
                waiting.extend(value.values())

    def text_of(self, value: Json) -> str:
        """The value as it stands within a longer text: strings as they are, everything else as JSON.

        Raises ``ExpressionFailed`` where it is too large or holds what JSON can't.
        """
        if type(value) is str:
            self.spend(len(value))
            return value
        return self.json_of(value)

    def json_of(self, value: Json) -> str:
        """The value as JSON on one line. Raises ``ExpressionFailed`` as :meth:`text_of` does."""
        self.spend_tree(value)
        try:
            return to_json_text(value)
        except (ValueError, TypeError, RecursionError):
            raise ExpressionFailed(
                "the value can't be written as JSON", hint="it is nested too deeply"
            ) from None
