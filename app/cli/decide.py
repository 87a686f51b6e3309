"""``decide``: what a person says about a call whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Mapping

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import branch_option, command_line, emit_json, json_option, read_json, task_argument
from app.cli.screen import GOOD, Line, show
from app.cli.texts import short_commit, short_task
from app.services.branches import require_branch
from app.services.tasks import find_task, open_repository
from app.services.waiting import Decided, Decision
from app.services.waiting import decide as record_decision


@click.command(cls=Command, examples=["3f2a91c4 --run", "3f2a91c4 --skip '{\"sent\": true}'"])
@task_argument
@branch_option
@click.option("--reuse", is_flag=True, help="Take the newest earlier result of the same call.")
@click.option("--run", is_flag=True, help="Make the call again, with the same idempotency key.")
@click.option("--skip", "skipped", metavar="JSON", help="Take this value as the result, and make no call.")
@click.option("--fail", is_flag=True, help="Let the step fail, without a call.")
@json_option
def decide(
    task: str, branch: str | None, reuse: bool, run: bool, skipped: str | None, fail: bool, as_json: bool
) -> None:
    """Decide about a call whose outcome nobody knows.

    A call of an irreversible tool is never repeated by itself: where it is unknown whether it happened, the
    run waits. `show` tells what it waits for. The decision is a commit; `resume` then goes on.
    """
    decision = _decision({"reuse": reuse, "run": run, "fail": fail}, skipped)
    with workplace() as place:
        row = find_task(place, task)
        with open_repository(place, row) as repository:
            name = require_branch(repository, row, branch)
        decided = record_decision(place, row, name, decision)
    if as_json:
        emit_json(decided.to_json())
    else:
        show(_lines(decided))


def _decision(flags: Mapping[str, bool], skipped: str | None) -> Decision:
    choices = [choice for choice, is_set in flags.items() if is_set]
    if len(choices) + (skipped is not None) != 1:
        raise click.UsageError(
            "give exactly one of --reuse, --run, --skip JSON, --fail", click.get_current_context()
        )
    if skipped is None:
        return Decision(choices[0])
    return Decision("skip", read_json(skipped, "the value of --skip", "a text needs its quotes: '\"done\"'"))


def _lines(decided: Decided) -> list[Line]:
    place = decided.waiting.place
    item = f" item {place.item}" if place.item is not None else ""
    what = f"{decided.choice} step {place.seq_no}{item}, {decided.waiting.tool}"
    resume = command_line("resume", short_task(decided.task_id))
    return [
        [("✓ decided", GOOD), f"  {what}  on {decided.branch}, commit {short_commit(decided.commit)}"],
        [f"`{resume}` goes on"],
    ]
