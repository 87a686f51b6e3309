"""What the model calls of a run add up to. Unknown is ``None``, never zero, and stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.plan.model import Json

NO_USAGE: Final[Mapping[str, Json]] = {"model_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost": 0.0}

_SUMS: Final = ("input_tokens", "output_tokens", "cost")


def add_usage(usage: Mapping[str, Json], calls: Sequence[Mapping[str, Any]]) -> dict[str, Json]:
    """``usage`` with the calls of a record added."""
    total: dict[str, Json] = {**NO_USAGE, **usage}
    for call in calls:
        total["model_calls"] += 1
        for name in _SUMS:
            used = call.get(name)
            total[name] = None if used is None or total[name] is None else total[name] + used
    return total
