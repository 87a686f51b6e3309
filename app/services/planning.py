"""From a goal to a plan: by itself to look at, or as the next commit of a task that has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import ConfigurationError, ModelError, PlanNotClean
from app.llm.base import OnCall, OnRetry, OnToken, Watch
from app.observability.watching import Bystanders
from app.plan.model import Json
from app.planner.generate import generate_plan
from app.planner.records import plan_record, rounds_record
from app.planner.rounds import OnRound, Planned, Round
from app.services.tasks import check_goal
from app.services.thinking import Askers
from app.services.watching import watch_models
from app.services.workplace import Workplace
from app.vm.events import Listener, PlanChecked, PlanningStarted, UsageGrew
from app.vm.scribe import Scribe
from app.vm.usage import NO_USAGE, add_usage

NO_MODEL_HINT = "set LLM_PROVIDER and LLM_MODEL, see docs/models.md; or give a plan with --plan FILE"


@dataclass(frozen=True, slots=True)
class PlanningWatcher:
    """Who is told of rounds, tokens and retries while a plan is written."""

    on_round: OnRound | None = None
    on_token: OnToken | None = None
    on_retry: OnRetry | None = None
    on_call: OnCall | None = None

    @property
    def of_calls(self) -> Watch:
        """What the asker itself is to tell; tokens are told by who reads them."""
        return Watch(on_retry=self.on_retry, on_call=self.on_call)


def require_askers(workplace: Workplace, usage: Mapping[str, Json] | None = None) -> Askers:
    """The models of a run that has used ``usage``. Raises ``ConfigurationError`` where none is configured."""
    askers = workplace.open_askers(usage or {})
    if askers is None:
        raise no_model()
    return askers


def no_model() -> ConfigurationError:
    """Nobody can write plans here."""
    return ConfigurationError("no model is configured to write plans", hint=NO_MODEL_HINT)


def plan_goal(
    workplace: Workplace,
    goal: str,
    namespace: str | None,
    response_format: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> Planned:
    """A checked plan for a goal, without a task.

    Raises ``InputError`` (goal), ``NotFound`` (namespace), ``PlanNotClean``, ``ModelError``.
    """
    check_goal(goal)
    workplace.catalog(namespace)  # one that doesn't exist is refused before anything is told
    askers = require_askers(workplace)
    if workplace.observers:
        listener = Bystanders(workplace.observers, listener).hear
    if listener is not None:
        listener(PlanningStarted(askers.model, askers.is_scripted))
    wanted = {"goal": goal, "namespace": namespace, "response_format": response_format}
    planned = write_plan(workplace, wanted, askers, watcher_of(listener))
    if not isinstance(planned, Planned):
        raise planned
    return planned


def watcher_of(listener: Listener | None, usage: Mapping[str, Json] = NO_USAGE) -> PlanningWatcher:
    """Tells a run's listener how planning goes on. ``usage`` is what the run used before."""
    if listener is None:
        return PlanningWatcher()

    def on_round(this: Round) -> None:
        nonlocal usage
        listener(PlanChecked(this.number, this.plan, this.findings, this.repairs))
        usage = add_usage(usage, [this.call.to_json()])
        listener(UsageGrew(usage))

    watch = watch_models(listener, None)
    return PlanningWatcher(on_round, watch.on_token, watch.on_retry, watch.on_call)


def write_plan(
    workplace: Workplace, goal: Mapping[str, Any], askers: Askers, watcher: PlanningWatcher
) -> Planned | PlanNotClean | ModelError:
    """A plan for the content of ``goal.json``, or why there is none."""
    try:
        return generate_plan(
            askers.reasoning.followed_by(watcher.of_calls),
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
