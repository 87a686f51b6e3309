"""Plans by themselves: checking, comparing. Nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from app.errors import NotFound
from app.plan.diff import diff_plans
from app.plan.findings import Finding
from app.plan.model import Json, Plan
from app.plan.parse import parse_plan
from app.plan.problems import PlanSyntaxError
from app.plan.scope import variables_in_scope
from app.services.planning import NO_MODEL_HINT
from app.services.tasks import check_plan_text
from app.services.workplace import Workplace


def check_document(
    workplace: Workplace, text: str | bytes, namespace: str | None, step: int | None = None
) -> dict[str, Any]:
    """What the checker finds, as JSON; by default with the tools that the actor's tasks may call. With a ``step``
    also ``scope``, the variables that it may read.

    Raises ``NotFound`` for the namespace.
    """
    chosen = namespace if namespace is not None else workplace.actor.namespace
    if not workplace.actor.sees(chosen):
        raise NotFound("namespace", str(chosen))
    plan, findings = check_plan_text(workplace, text, chosen)
    document = findings_document(plan, findings)
    if step is not None:
        scope = variables_in_scope(plan, step) if plan is not None else None
        document["scope"] = [asdict(each) for each in scope] if scope is not None else None
    return document


def writer_document(workplace: Workplace) -> dict[str, Any]:
    """Which model writes and revises plans here; where there is none, what to set."""
    askers = workplace.open_askers({})
    if askers is None:
        return {"model": None, "scripted": False, "hint": NO_MODEL_HINT}
    return {"model": askers.model, "scripted": askers.is_scripted, "hint": None}


def findings_document(plan: Plan | None, findings: Sequence[Finding]) -> dict[str, Any]:
    """What the checker found, as JSON."""
    errors = sum(finding.severity == "error" for finding in findings)
    return {
        "valid": not errors,
        "steps": len(plan.steps) if plan is not None else None,
        "errors": errors,
        "warnings": len(findings) - errors,
        "findings": [finding.to_json() for finding in findings],
    }


def diff_documents(old: Json, new: Json) -> dict[str, Any]:
    """What differs between two plan documents, as JSON. Raises ``InputError`` for what is no plan."""
    return diff_plans(_parse("old", old), _parse("new", new)).to_json()


def _parse(name: str, document: Json) -> Plan:
    try:
        return parse_plan(json.dumps(document))
    except PlanSyntaxError as error:
        problems = [replace(each, path=f"{name}.{each.path}".rstrip(".")) for each in error.problems]
        raise PlanSyntaxError(problems) from None
