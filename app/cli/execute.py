"""``execute``: a goal, a plan, a run, an answer."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.desks import open_server_desk
from app.cli.errors import finding_lines
from app.cli.following import follow_to_its_end, submission
from app.cli.groups import Command
from app.cli.options import (
    goal_option,
    history_option,
    json_option,
    max_steps_option,
    namespace_option,
    quiet_option,
    read_input,
    response_format_option,
)
from app.cli.running import Manner, parallel_option, run_to_its_end
from app.cli.streams import note
from app.config import load_settings
from app.plan.findings import Finding
from app.plan.model import Json
from app.services.planning import require_askers
from app.services.tasks import MAIN, NewTask, submit_task
from app.vm.interrupts import Interrupts


@click.command(
    cls=Command,
    asks_servers=True,
    examples=[
        '--goal "Which files mention a licence, and which one?"',
        '--goal "Which modules are the longest?" --plan examples/longest_modules.json',
        '--goal "Which files are there?" --plan examples/handled_failure.json --json | jq .final_answer',
    ],
)
@goal_option
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    help="The plan, a JSON document; - reads it from stdin. Without it a model writes the plan.",
)
@namespace_option
@response_format_option
@history_option
@click.option(
    "--revise",
    is_flag=True,
    help="Let the model revise the plan that --plan gives where a step fails; its own plans, it always may.",
)
@max_steps_option
@parallel_option
@json_option
@quiet_option
def execute(
    goal: str,
    plan_file: str | None,
    namespace: str | None,
    response_format: dict[str, Json] | None,
    history: str | None,
    revise: bool,
    max_steps: int | None,
    parallel: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a plan for a goal and print its answer.

    The plan is checked first. One that is given and has errors is rejected, and nothing is kept of it; one that
    a model writes goes back to it with the findings, for up to three rounds. Then every step is executed and
    committed. Where a step fails for good, the model revises the plan, and the run goes on from where the new plan
    differs, on a branch of its own.

    The answer goes to stdout, progress to stderr: live at a terminal, with the plan, the steps, what models write
    and what they used so far; as plain lines elsewhere. Ctrl-C once finishes the step under way and pauses, twice
    stops at once and without loss; `resume` goes on.

    Against a server, the server runs it and this command follows: Ctrl-C ends the following only, `resume` follows
    again, `pause` and `cancel` reach the run.
    """
    plan = read_input(plan_file, "plan") if plan_file is not None else None
    new = NewTask(goal, plan, namespace, response_format, history, max_steps, revise)
    manner = Manner(as_json, quiet)
    settings = load_settings()
    with open_server_desk(settings) as desk:
        if desk is not None:
            follow_to_its_end(desk, desk.submit(submission(new, parallel)), MAIN, manner)
    # Signals first: from the moment that there is a task, an interrupted run can be resumed by its id.
    with workplace(settings) as place, Interrupts().from_signals() as interrupts:
        if plan is None or revise:
            require_askers(place)
        task = submit_task(place, new, on_warning=None if manner.is_silent else _warn)
        run_to_its_end(place, task, MAIN, interrupts, manner, parallel=parallel)


def _warn(finding: Finding) -> None:
    for line in finding_lines(finding.to_json()):
        note(line)
