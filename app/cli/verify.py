"""``verify``: what the checker finds in a plan."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.errors import finding_lines
from app.cli.exit_codes import COMPLETED, REJECTED
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, namespace_option, read_input
from app.cli.screen import BAD, GOOD, WARN, Line, show
from app.cli.texts import count
from app.plan.findings import Finding
from app.plan.model import Plan
from app.services.plans import findings_document
from app.services.tasks import check_plan_text


@click.command(
    cls=Command,
    examples=["examples/longest_modules.json", "plan.json --namespace-name docs", "- < plan.json"],
)
@click.argument("plan_file", metavar="PLAN_FILE")
@namespace_option
@json_option
def verify(plan_file: str, namespace: str | None, as_json: bool) -> None:
    """Check a plan without running it.

    Finds references to variables that are not set, jumps to nowhere, steps that can't be reached, unknown
    or forbidden tools, wrong arguments, loops without a way out. Exits with 4 where there are errors, with 0
    where there are none or only warnings. PLAN_FILE may be - for stdin.
    """
    text = read_input(plan_file, "plan")
    # Without a namespace there is nothing to ask the database.
    with workplace(check_schema=namespace is not None) as place:
        plan, findings = check_plan_text(place, text, namespace)
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        emit_json(findings_document(plan, findings))
    else:
        show(_lines(plan_file, plan, findings, errors))
    raise click.exceptions.Exit(REJECTED if errors else COMPLETED)


def _lines(name: str, plan: Plan | None, findings: list[Finding], errors: int) -> list[Line]:
    mark, style = ("✓", GOOD) if not findings else ("✗", BAD) if errors else ("!", WARN)
    warnings = len(findings) - errors
    parts = [count(len(plan.steps), "step")] if plan is not None else []
    parts += [count(errors, "error")] if errors else []
    parts += [count(warnings, "warning")] if warnings else []
    lines: list[Line] = [[(mark, style), f" {name}: {', '.join(parts)}{'' if findings else ', no findings'}"]]
    lines += [[line] for finding in findings for line in finding_lines(finding.to_json())]
    return lines
