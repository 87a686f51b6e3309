"""What keeps a document from being a plan: one :class:`Problem` a fault, raised together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import InputError


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: its place (``steps[3].parameters.tool_name`` or ``line 3 column 7``; empty for the whole
    document), the ``seq_no`` of its step where that is known, what is wrong, and what would be right."""

    path: str
    step: int | None
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class PlanSyntaxError(InputError):
    """The document is no plan. ``path``, ``step`` and ``hint`` are those of the first of ``problems``."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        more = len(problems) - 1
        suffix = f" [and {more} more {'problem' if more == 1 else 'problems'}]" if more else ""
        super().__init__(f"{first}{suffix}", hint=first.hint)
        self.problems = tuple(problems)
        self.path = first.path
        self.step = first.step


def refuse(message: str, hint: str, *, path: str = "", step: int | None = None) -> PlanSyntaxError:
    """The error of a single problem, to be raised by the caller."""
    return PlanSyntaxError([Problem(path, step, message, hint)])
