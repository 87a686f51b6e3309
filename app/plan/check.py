"""Everything that can be found out about a plan before it runs: :func:`check_plan`, :func:`check_text`.

The same findings go to the person and back to the model that wrote the plan.
"""

from __future__ import annotations

from app.plan.calls import CallCheck
from app.plan.check_flow import check_flow, check_targets
from app.plan.check_slots import check_slots
from app.plan.findings import CODES, Finding, error, has_errors, in_order
from app.plan.model import Calling, Plan
from app.plan.parse import parse_plan
from app.plan.problems import PlanSyntaxError
from app.plan.signature import ToolCatalog

__all__ = ["CODES", "Finding", "check_plan", "check_text", "has_errors"]


def check_plan(plan: Plan, tools: ToolCatalog) -> list[Finding]:
    """All findings about the plan (P001 for one without steps, P002–P012), in the order of its steps.

    A plan with no finding of severity ``error`` may run. Never raises for what stands in a plan.
    """
    if not plan.steps:
        return [error("P001", None, "steps", "the plan has no steps", "a plan has at least one step")]
    findings, reads = check_slots(plan)
    calls = CallCheck(tools)
    for step in plan.steps:
        if isinstance(step.instruction, Calling):
            findings.extend(calls.check(step, step.instruction))
    findings.extend(check_targets(plan))
    findings.extend(check_flow(plan, reads))
    return in_order(findings, plan.steps)


def check_text(text: str | bytes, tools: ToolCatalog) -> tuple[Plan | None, list[Finding]]:
    """The plan in ``text`` and its findings; where the text holds no plan, ``None`` and only P001."""
    try:
        plan = parse_plan(text)
    except PlanSyntaxError as problem:
        return None, [
            error("P001", fault.step, fault.path, fault.message, fault.hint) for fault in problem.problems
        ]
    return plan, check_plan(plan, tools)
