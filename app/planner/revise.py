"""From a plan that failed to one that goes on: :func:`revise_plan`.

Beside the checker's findings a revision may have these, all of them errors:

| code | finding |
|---|---|
| R001 | a step that must be kept would be done again (found by whoever knows the history: ``refuse``) |
| R002 | a step other than the one to be revised is missing, added or changed |
| R003 | the revised plan is the one that failed |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from app.llm.base import Asker, OnToken
from app.plan.check import check_plan
from app.plan.findings import Finding, error, has_errors
from app.plan.model import Json, Plan, Step
from app.planner.prompts import revise_prompt
from app.planner.rounds import MAX_ROUNDS, OnRound, Planned, write_plan
from app.planner.tools import PlanningCatalog


def revise_plan(
    asker: Asker,
    *,
    goal: str,
    catalog: PlanningCatalog,
    plan: Plan,
    variables: Mapping[str, Json],
    error: Mapping[str, Json] | None,
    must_keep: Sequence[Step] = (),
    refuse: Callable[[Plan], Sequence[Finding]] = lambda plan: (),
    response_format: Mapping[str, Json] | None = None,
    suggestion: str | None = None,
    only_step: int | None = None,
    max_rounds: int = MAX_ROUNDS,
    on_round: OnRound | None = None,
    on_token: OnToken | None = None,
) -> Planned:
    """Ask for a new plan; findings go back until it is clean.

    ``variables`` are shown by short previews. ``error`` is the state's (``step``, ``tool``, ``message``,
    ``item``), ``None`` where nothing failed. ``must_keep`` are steps of ``plan`` that changed the outside: the model
    is told to begin with all steps up to the last of them as they are; ``refuse`` says what is wrong with a plan
    that would do one of them again. ``only_step``: the ``seq_no`` of the one step that may change. Raises
    ``PlanNotClean`` and ``ModelError``.
    """
    keep = steps_to_keep(plan, must_keep)
    failed = error is not None
    prompt = revise_prompt(
        goal,
        catalog,
        response_format,
        plan=plan,
        variables=variables,
        error=error,
        keep=keep,
        only_step=only_step,
        suggestion=suggestion,
    )

    def check(revised: Plan) -> list[Finding]:
        again = _same_again(plan, revised) if failed else ()
        found = [*_changed_others(plan, revised, only_step), *again, *check_plan(revised, catalog)]
        # Only of a plan that could run is it known what it would do again.
        return found if has_errors(found) else [*refuse(revised), *found]

    return write_plan(
        asker, prompt, "revise", check, max_rounds=max_rounds, on_round=on_round, on_token=on_token
    )


def steps_to_keep(plan: Plan, must_keep: Sequence[Step]) -> tuple[Step, ...]:
    """The beginning of the plan up to the last of ``must_keep``.

    A step before one of them that changed would move the fork in front of it, and it would be done again.
    """
    numbers = {step.seq_no for step in must_keep}
    last = max((index for index, step in enumerate(plan.steps) if step.seq_no in numbers), default=-1)
    return plan.steps[: last + 1]


def _changed_others(plan: Plan, revised: Plan, only_step: int | None) -> Iterator[Finding]:
    if only_step is None:
        return
    old = {step.seq_no: step for step in plan.steps}
    new = {step.seq_no: step for step in revised.steps}
    for seq_no in sorted(old.keys() | new.keys()):
        before, after = old.get(seq_no), new.get(seq_no)
        if seq_no == only_step:
            if after is None:
                yield error("R002", seq_no, "", f"step {seq_no} is missing", "revise it and keep its number")
        elif before is None:
            yield error("R002", seq_no, "", f"step {seq_no} is new", f"change step {only_step} alone")
        elif after is None or not _same(before, after):
            what = "missing" if after is None else "changed"
            yield error("R002", seq_no, "", f"step {seq_no} is {what}", f"change step {only_step} alone")


def _same_again(plan: Plan, revised: Plan) -> Iterator[Finding]:
    if len(plan.steps) == len(revised.steps) and all(map(_same, plan.steps, revised.steps)):
        yield error("R003", None, "", "this is the plan that failed", "change what led to the error")


def _same(one: Step, other: Step) -> bool:
    """Whether they do the same under the same number; descriptions don't count."""
    return one.seq_no == other.seq_no and one.instruction == other.instruction
