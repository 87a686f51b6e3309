"""From a goal to a plan that may run: :func:`generate_plan`."""

from __future__ import annotations

from collections.abc import Mapping

from app.llm.base import Asker, OnToken
from app.plan.check import check_plan
from app.plan.model import Json
from app.planner.prompts import plan_prompt
from app.planner.rounds import MAX_ROUNDS, OnRound, Planned, write_plan
from app.planner.tools import PlanningCatalog


def generate_plan(
    asker: Asker,
    *,
    goal: str,
    catalog: PlanningCatalog,
    response_format: Mapping[str, Json] | None = None,
    max_rounds: int = MAX_ROUNDS,
    on_round: OnRound | None = None,
    on_token: OnToken | None = None,
) -> Planned:
    """Ask for a plan; the checker's findings go back until it is clean.

    What the goal says about tools and rules is without effect: the tools come from ``catalog`` alone, and the
    checker holds the plan to them. Raises ``PlanNotClean`` and ``ModelError``.
    """
    return write_plan(
        asker,
        plan_prompt(goal, catalog, response_format),
        "plan",
        lambda plan: check_plan(plan, catalog),
        max_rounds=max_rounds,
        on_round=on_round,
        on_token=on_token,
    )
