"""What the checker has to say about a plan: one :class:`Finding` a fault, and the table of its codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from app.plan.model import Step

Severity: TypeAlias = Literal["error", "warning"]

CODES: Final[dict[str, str]] = {
    "P001": "not a plan: JSON or schema error",
    "P002": "seq_no repeated or out of order",
    "P003": "jump to a step that does not exist",
    "P004": "step that can't be reached",
    "P005": "reference to a variable that no path sets before it",
    "P006": "reference to a variable that some path doesn't set",
    "P007": "unknown tool, or tool not allowed in the namespace",
    "P008": "argument missing, unknown, or of the wrong type",
    "P009": "output_vars that the tool's result can't have",
    "P010": "loop without a way out",
    "P011": "no path sets final_answer",
    "P012": "expression that doesn't parse, or a function that doesn't exist",
}
"""Every code a finding can have, with what it means in one line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a plan.

    ``step`` is the ``seq_no`` it is about, ``None`` where it is about the whole plan. ``path`` is the place
    within the step (``parameters.tool_params.path``), for P001 within the document (``steps[3].type``);
    empty for the whole of either. ``message`` and ``hint`` are one line each.
    """

    code: str
    severity: Severity
    step: int | None
    path: str
    message: str
    hint: str

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object with the field names as keys."""
        return {
            "code": self.code,
            "severity": self.severity,
            "step": self.step,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        place = [f"step {self.step}"] if self.step is not None else []
        if self.path:
            place.append(self.path)
        where = f" at {', '.join(place)}" if place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.code} {self.severity}{where}: {self.message}{hint}"


def error(code: str, step: int | None, path: str, message: str, hint: str) -> Finding:
    """A finding that keeps the plan from being run."""
    return Finding(code, "error", step, path, message, hint)


def warning(code: str, step: int | None, path: str, message: str, hint: str) -> Finding:
    """A finding that the author should look at, but the plan may run."""
    return Finding(code, "warning", step, path, message, hint)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether the plan must not be run."""
    return any(finding.severity == "error" for finding in findings)


def in_order(findings: Iterable[Finding], steps: Sequence[Step]) -> list[Finding]:
    """Sorted by the step's place in the plan, then code, then path; what is about the whole plan comes last.

    Equal findings are given once.
    """
    found = list(dict.fromkeys(findings))
    if not found:
        return found
    places: dict[int | None, int] = {}
    for index, step in enumerate(steps):
        places.setdefault(step.seq_no, index)
    end = len(steps)
    return sorted(
        found,
        key=lambda finding: (places.get(finding.step, end), finding.code, finding.path, finding.message),
    )
