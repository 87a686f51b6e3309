"""What the model calls of a run add up to. Unknown is ``None``, never zero, and stays unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
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
            total[name] = None if used is None or total[name] is None else _sum(total[name], used)
    return total


def known_usage(records: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """What is known of the calls in ``records``, whatever else is not: what a budget must not forget."""
    known: dict[str, Json] = {**NO_USAGE}
    for record in records:
        for call in record.get("model_calls", ()):
            known = add_usage(known, [{name: call.get(name) or 0 for name in _SUMS}])
    return known


def _sum(total: Json, used: Json) -> Json:
    """Money is decimal: 0.1 and 0.2 are 0.3. Each number stands for the shortest decimal that is written for it."""
    if isinstance(total, int) and isinstance(used, int):
        return total + used
    return float(Decimal(repr(total)) + Decimal(repr(used)))
