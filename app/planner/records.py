"""What the history keeps of how a plan came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.plan.model import Json
from app.planner.rounds import Planned, Round


def plan_record(planned: Planned) -> dict[str, Json]:
    """The record of a ``plan`` or ``revision`` commit that a model wrote."""
    return {
        "who": None,
        "reasoning": planned.reasoning,
        "prompt": planned.prompt_name,
        "prompt_hash": planned.prompt_hash,
        **rounds_record(planned.rounds),
    }


def rounds_record(rounds: Sequence[Round]) -> dict[str, Json]:
    """The rounds and their calls; also for a plan that stayed unclean (``PlanNotClean.rounds``)."""
    record: dict[str, Any] = {
        "rounds": [_round(this) for this in rounds],
        "model_calls": [this.call.to_json() for this in rounds],
    }
    if rounds:
        record["started_ms"] = min(this.call.started_ms for this in rounds)
        record["ended_ms"] = max(this.call.ended_ms for this in rounds)
    return record


def _round(this: Round) -> dict[str, Json]:
    """``reply`` only where it was sent back: the last is the plan itself."""
    document: dict[str, Json] = {
        "findings": [finding.to_json() for finding in this.findings],
        "repairs": list(this.repairs),
    }
    if not this.clean:
        document["reply"] = this.text
    return document
