"""What ends a run before its plan does: its limits, fixed when the task is made, and being cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.vm.state import State


def limit_reached(limits: Mapping[str, int], state: State, seconds: float) -> dict[str, Any] | None:
    """The record of the stop that is due before the next step, or ``None``. ``seconds``: worked so far."""
    steps = limits.get("steps")
    if steps is not None and state.steps >= steps:
        return _stop("steps", f"{state.steps:,} steps were executed, at most {steps:,} are allowed")
    allowed = limits.get("seconds")
    if allowed is not None and seconds >= allowed:
        return _stop("seconds", f"the run worked for {seconds:,.0f} s, at most {allowed:,} are allowed")
    return None


def cancelled_by(who: str | None, now_ms: int) -> dict[str, Any]:
    """The record of the stop that ``who`` asked for."""
    who = who or "somebody"
    return {"reason": "cancelled", "message": f"cancelled by {who}", "who": who, "decided_ms": now_ms}


def taken_over(times: int) -> dict[str, Any]:
    """The record of the stop of a run that ended its worker's process again and again, at the same commit."""
    return _stop("takeovers", f"its worker was lost {times:,} times in a row and got no further")


def _stop(name: str, message: str) -> dict[str, Any]:
    return {"reason": "limit", "limit": name, "message": f"limit reached: {name}: {message}"}
