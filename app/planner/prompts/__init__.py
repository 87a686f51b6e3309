"""The prompts: one file each beside this one, one function each that fills it in.

| prompt | asks for |
|---|---|
| ``plan`` | a plan for a goal |
| ``repair`` | the plan again, without what the checker found |
| ``revise`` | a new plan, after what became of the old one |
| ``judge`` | true or false |
| ``generate`` | a text, or values by name |
| ``retry`` | the answer again, in a form that can be used |

What comes from anybody but the plan language and the tools' authors is fenced (:mod:`app.planner.data`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.plan.findings import Finding
from app.plan.model import Json, Plan, Step
from app.planner.data import clean, cut, fence, fence_value, preview_variables
from app.planner.language import language_values, plan_text
from app.planner.prompts.templates import Prompt, render
from app.planner.tools import PlanningCatalog, tools_values

__all__ = [
    "Prompt",
    "generate_prompt",
    "judge_prompt",
    "plan_prompt",
    "repair_prompt",
    "retry_prompt",
    "revise_prompt",
]

_MAX_FINDINGS = 50
"""Findings that go back at once; a reply with more of them is best written anew."""
_SUGGESTION_CHARACTERS = 20_000


def plan_prompt(goal: str, catalog: PlanningCatalog, response_format: Mapping[str, Json] | None) -> Prompt:
    """A plan for ``goal`` with the tools that ``catalog`` allows."""
    return render(
        "plan",
        {
            **language_values(),
            **tools_values(catalog),
            "goal": fence("goal", goal),
            "answer_form": _form(response_format),
        },
    )


def repair_prompt(findings: Sequence[Finding]) -> Prompt:
    """The plan again: what a person would read of the findings, a line each."""
    lines = [f"- {finding}" for finding in findings[:_MAX_FINDINGS]]
    if len(findings) > _MAX_FINDINGS:
        lines.append(f"- and {len(findings) - _MAX_FINDINGS} more")
    return render("repair", {"findings": fence("findings", "\n".join(lines))})


def revise_prompt(
    goal: str,
    catalog: PlanningCatalog,
    response_format: Mapping[str, Json] | None,
    *,
    plan: Plan,
    variables: Mapping[str, Json],
    error: Mapping[str, Json] | None,
    keep: Sequence[Step],
    only_step: int | None,
    suggestion: str | None,
) -> Prompt:
    """A new plan after ``error``. ``keep`` are the steps it must begin with."""
    return render(
        "revise",
        {
            **language_values(),
            **tools_values(catalog),
            "goal": fence("goal", goal),
            "answer_form": _form(response_format),
            "plan": fence("plan", plan_text(plan.to_json())),
            "error": "" if error is None else fence_value("error", dict(error)),
            "variables": fence("variables", preview_variables(variables)),
            "error_in_kept": _failed_among(keep, error),
            "keep": fence("steps", plan_text({"steps": [step.to_json() for step in keep]})) if keep else "",
            "only": "" if only_step is None else str(only_step),
            "suggestion": fence("suggestion", cut(suggestion, _SUGGESTION_CHARACTERS)) if suggestion else "",
        },
    )


def judge_prompt(question: str, context: Json) -> Prompt:
    """Whether ``question`` is to be answered with yes, by ``context`` (``None``: there is none)."""
    return render("judge", {"question": fence("question", question), "context": _context(context)})


def generate_prompt(task: str, context: Json, response_format: Json, output_names: Sequence[str]) -> Prompt:
    """What ``task`` asks for: a text, or where there are ``output_names`` a JSON object with these keys."""
    return render(
        "generate",
        {
            "task": fence("task", task),
            "context": _context(context),
            "answer_form": _form(response_format),
            "outputs": ", ".join(output_names),
        },
    )


def retry_prompt(problem: str) -> Prompt:
    """The answer again; ``problem`` says on one line what was wrong with it."""
    return render("retry", {"problem": clean(problem)})


def _failed_among(steps: Sequence[Step], error: Mapping[str, Json] | None) -> str:
    """The step that failed, where it is among ``steps``, as in a loop."""
    failed = None if error is None else error.get("step")
    return str(failed) if any(step.seq_no == failed for step in steps) else ""


def _form(response_format: Json) -> str:
    return fence_value("form", response_format) if response_format else ""


def _context(context: Json) -> str:
    return "" if context is None else fence_value("context", context)
