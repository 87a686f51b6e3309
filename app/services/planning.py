"""From a goal to a plan: by itself to look at, or as the next commit of a task that has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import ConfigurationError, ModelError, PlanNotClean
from app.llm.base import OnToken
from app.plan.model import Json
from app.planner.generate import generate_plan
from app.planner.records import plan_record, rounds_record
from app.planner.rounds import OnRound, Planned, Round
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.vm.events import Listener, PlanChecked, PlanningStarted, TokenSaid
from app.vm.scribe import Scribe

NO_MODEL_HINT = "set LLM_PROVIDER and LLM_MODEL, see docs/models.md; or give a plan with --plan FILE"


@dataclass(frozen=True, slots=True)
class PlanningWatcher:
    """Who is told of rounds and tokens while a plan is written."""

    on_round: OnRound | None = None
    on_token: OnToken | None = None


def require_askers(workplace: Workplace, usage: Mapping[str, Json] | None = None) -> Askers:
    """The models of a run that has used ``usage``. Raises ``ConfigurationError`` where none is configured."""
    askers = workplace.open_askers(usage or {})
    if askers is None:
        raise ConfigurationError("no model is configured to write plans", hint=NO_MODEL_HINT)
    return askers


def plan_goal(
    workplace: Workplace,
    goal: str,
    namespace: str | None,
    response_format: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> Planned:
    """A checked plan for a goal, without a task. Raises ``PlanNotClean``, ``ModelError``, ``NotFound``."""
    askers = require_askers(workplace)
    if listener is not None:
        listener(PlanningStarted(askers.model, askers.is_scripted))
    wanted = {"goal": goal, "namespace": namespace, "response_format": response_format}
    planned = write_plan(workplace, wanted, askers, watcher_of(listener))
    if not isinstance(planned, Planned):
        raise planned
    return planned


def watcher_of(listener: Listener | None) -> PlanningWatcher:
    """Tells a run's listener of rounds and tokens."""
    if listener is None:
        return PlanningWatcher()

    def on_round(this: Round) -> None:
        steps = len(this.plan.steps) if this.plan is not None else None
        listener(PlanChecked(this.number, steps, this.findings, this.repairs))

    return PlanningWatcher(on_round, lambda token: listener(TokenSaid(None, None, token)))


def write_plan(
    workplace: Workplace, goal: Mapping[str, Any], askers: Askers, watcher: PlanningWatcher
) -> Planned | PlanNotClean | ModelError:
    """A plan for the content of ``goal.json``, or why there is none."""
    try:
        return generate_plan(
            askers.reasoning,
            goal=goal["goal"],
            catalog=workplace.catalog(goal.get("namespace")),
            response_format=goal.get("response_format"),
            on_round=watcher.on_round,
            on_token=watcher.on_token,
        )
    except (PlanNotClean, ModelError) as error:
        return error


def commit_plan(scribe: Scribe, planned: Planned | PlanNotClean | ModelError) -> None:
    """Commit the plan; or what was paid for in vain, as a ``stop``, and raise why. The task can be planned again."""
    if isinstance(planned, Planned):
        scribe.adopt_plan(planned.plan, plan_record(planned), author=None)
        scribe.journal.flush()
        return
    record: dict[str, Any] = {"reason": "plan", "message": planned.message}
    if isinstance(planned, PlanNotClean):
        record |= rounds_record(planned.rounds)
    elif planned.calls:
        record["model_calls"] = [call.to_json() for call in planned.calls]
        record["started_ms"] = min(call.started_ms for call in planned.calls)
        record["ended_ms"] = max(call.ended_ms for call in planned.calls)
    scribe.stop(record)
    scribe.journal.flush()
    raise planned
