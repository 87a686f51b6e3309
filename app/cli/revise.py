"""``revise``: change the plan of a task, and run only what depends on the change."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import NamedTuple, cast

import click

from app.bootstrap import workplace
from app.cli.errors import finding_lines
from app.cli.explain_text import proposal_lines
from app.cli.groups import Command
from app.cli.options import (
    branch_option,
    emit_json,
    json_option,
    quiet_option,
    read_input,
    read_json,
    task_argument,
)
from app.cli.planning_text import plan_lines
from app.cli.progress import watching
from app.cli.running import Manner, run_revision
from app.cli.screen import tell
from app.cli.streams import is_terminal, note
from app.db.base import TaskRow
from app.errors import InputError, PlanRejected
from app.plan.findings import Finding, has_errors
from app.plan.model import Plan
from app.plan.parse import plan_from_json
from app.planner.rounds import Planned
from app.services.branches import require_branch
from app.services.revise import (
    Proposal,
    RevisionOptions,
    accept_revision,
    check_revision,
    current_plan,
    propose_revision,
    set_in_step,
    suggest_revision,
)
from app.services.tasks import find_task, open_repository
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts
from app.vm.reuse import POLICIES, Policy

_SET_HINT = """for example --step 3 --set 'parameters.tool_params.path="README.md"'"""


class Wish(NamedTuple):
    """What the new plan comes from: exactly one of a file, an editor, values set in a step, a suggestion."""

    plan_file: str | None
    edit: bool
    step: int | None
    values: tuple[str, ...]
    suggestion: str | None


@click.command(
    cls=Command,
    examples=[
        "3f2a91c4 --step 3 --set 'parameters.tool_params.path=\"docs\"'",
        "3f2a91c4 --edit",
        "3f2a91c4 --plan better.json --name try-2 --yes",
        '3f2a91c4 --suggestion "read the whole folder"',
    ],
)
@task_argument
@branch_option
@click.option("--plan", "plan_file", metavar="FILE", help="The new plan; - reads it from stdin.")
@click.option("--edit", is_flag=True, help="Edit the plan in $EDITOR.")
@click.option(
    "--step", type=int, metavar="N", help="The step for --set; or the only one to change by --suggestion."
)
@click.option(
    "--set", "values", multiple=True, metavar="PATH=JSON", help="Set one place of the step; can be repeated."
)
@click.option("--suggestion", metavar="TEXT", help="Have the model revise the plan as you say.")
@click.option("--name", metavar="NEW", help="Name of the new branch; default: the next free revision-N.")
@click.option("--no-reuse", is_flag=True, help="Ask everything behind the fork point again.")
@click.option(
    "--irreversible",
    "policy",
    type=click.Choice(list(POLICIES)),
    help="What to do with irreversible calls of tools that were called beyond the fork point; default: the"
    " namespace's policy, else ask.",
)
@click.option("--no-run", is_flag=True, help="Commit the revision and stop; `resume` runs it.")
@click.option(
    "--yes", is_flag=True, help="Acknowledge what was written beyond the fork point; repeats nothing."
)
@json_option
@quiet_option
def revise(
    task: str,
    branch: str | None,
    plan_file: str | None,
    edit: bool,
    step: int | None,
    values: tuple[str, ...],
    suggestion: str | None,
    name: str | None,
    no_reuse: bool,
    policy: str | None,
    no_run: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Change the plan, and run only what depends on the change.

    The revision is a new branch. Its plan leaves the old run at the fork point: the last commit up to which both do
    the same. Behind it, what was asked before with the same inputs is not asked again; `write` calls run again. An
    irreversible call whose tool was called beyond the fork point waits for a decision. What will happen is said
    before anything runs.
    """
    wish = Wish(plan_file, edit, step, values, suggestion)
    _check_wish(wish)
    manner = Manner(as_json, quiet)
    options = RevisionOptions(name, not no_reuse, cast(Policy | None, policy))
    with workplace() as place, Interrupts().from_signals() as interrupts:
        row = find_task(place, task)
        with open_repository(place, row) as repository:
            of = require_branch(repository, row, branch)
        plan, written_by = _new_plan(place, row, of, wish, interrupts, manner)
        proposal = propose_revision(place, row, of, plan, options, written_by)
        if not manner.is_silent:
            tell(proposal_lines(proposal))
        _acknowledge(proposal, yes=yes)
        revised = accept_revision(place, proposal)
        row = replace(row, current_branch=revised.branch)
        if no_run:
            if as_json:
                emit_json({**proposal.to_json(), **revised.to_json()})
            else:
                note(f"committed as {revised.branch}; `stackvm resume {row.id[:8]}` runs it")
            return
        run_revision(place, row, revised, interrupts, manner)


def _check_wish(wish: Wish) -> None:
    ways = [wish.plan_file is not None, wish.edit, bool(wish.values), wish.suggestion is not None]
    context = click.get_current_context()
    if sum(ways) != 1:
        raise click.UsageError("give exactly one of --plan, --edit, --set, --suggestion", context)
    if wish.values and wish.step is None:
        raise click.UsageError("--set needs --step", context)
    if wish.step is not None and not wish.values and wish.suggestion is None:
        raise click.UsageError("--step goes with --set or --suggestion", context)


def _new_plan(
    place: Workplace, row: TaskRow, branch: str, wish: Wish, interrupts: Interrupts, manner: Manner
) -> tuple[Plan, Planned | None]:
    if wish.suggestion is not None:
        with watching(silent=manner.is_silent) as listener, interrupts.awaiting():
            planned = suggest_revision(place, row, branch, wish.suggestion, wish.step, listener)
        if not manner.is_silent:
            tell(plan_lines(planned.plan))
        return planned.plan, planned
    if wish.plan_file is not None:
        return _checked(place, row, read_input(wish.plan_file, "plan")), None
    document = current_plan(place, row, branch)
    if wish.edit:
        return _edited(place, row, document), None
    assert wish.step is not None
    for setting in wish.values:
        path, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting!r} has no =", hint=_SET_HINT)
        value = read_json(text, f"the value of --set {path}", "a text needs its quotes: " + _SET_HINT)
        document = set_in_step(document, wish.step, path, value)
    return _checked(place, row, json.dumps(document)), None


def _checked(place: Workplace, row: TaskRow, text: str | bytes) -> Plan:
    plan, findings = check_revision(place, row, text)
    if plan is None or has_errors(findings):
        raise PlanRejected(findings)
    return plan


def _edited(place: Workplace, row: TaskRow, document: dict[str, object]) -> Plan:
    """What comes out of the editor. It opens again, with the findings as comments, until the plan is clean."""
    if not is_terminal(sys.stdin):
        raise InputError(
            "--edit needs a terminal", hint="give the plan with --plan FILE, or a value with --set"
        )
    before = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    text, findings = before, list[Finding]()
    while True:
        edited = click.edit(text, extension=".json")
        plain = None if edited is None else _without_comments(edited)
        if plain is None or not plain.strip():
            if findings:
                raise PlanRejected(findings)
            raise InputError("nothing was changed", hint="the plan is as it was")
        plan, findings = check_revision(place, row, plain)
        if plan is not None and not has_errors(findings):
            if plan == plan_from_json(document):
                raise InputError("nothing was changed", hint="the plan is as it was")
            return plan
        if plain == _without_comments(text) and text != before:
            raise PlanRejected(findings)  # saved as it was: whoever edits gives up
        notes = [f"// {line}".rstrip() for finding in findings for line in finding_lines(finding.to_json())]
        text = "\n".join([*notes, "// Save it unchanged, or empty, to give up.", plain])


def _without_comments(text: str) -> str:
    # By \n alone: what else splitlines() knows may stand within the texts of a plan.
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("//"))


def _acknowledge(proposal: Proposal, *, yes: bool) -> None:
    """What was written beyond the fork point is seen by somebody before anything runs."""
    if not proposal.beyond or yes:
        return
    tools = ", ".join(sorted({f"{call.tool} ({call.effect})" for call in proposal.beyond}))
    if is_terminal(sys.stdin) and is_terminal(sys.stderr):
        click.confirm("these calls were made beyond the fork point; go on?", abort=True, err=True)
        return
    raise InputError(
        f"beyond the fork point {proposal.fork_point[:8]} these tools were called: {tools}",
        hint="--yes acknowledges that; it never repeats an irreversible call",
    )
