"""``decide``: what a person says about a call whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Mapping

import click

from app.cli.desks import open_desk
from app.cli.groups import Command
from app.cli.options import branch_option, command_line, emit_json, json_option, read_json, task_argument
from app.cli.screen import GOOD, Line, show
from app.cli.texts import short_commit, short_task
from app.plan.model import Json
from app.services.waiting import Decided, Decision


@click.command(
    cls=Command,
    asks_servers=True,
    examples=["3f2a91c4 --run", "3f2a91c4 --skip '{\"sent\": true}'", "3f2a91c4 --reuse --all-items"],
)
@task_argument
@branch_option
@click.option("--reuse", is_flag=True, help="Take the newest earlier result of the same call.")
@click.option("--run", is_flag=True, help="Make the call again, with the same idempotency key.")
@click.option("--skip", "skipped", metavar="JSON", help="Take this value as the result, and make no call.")
@click.option("--fail", is_flag=True, help="Let the step fail, without a call.")
@click.option(
    "--item",
    "items",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="N",
    help="Which item of a `for_each`, from 0; may be repeated. Without it, the one that waits.",
)
@click.option("--all-items", is_flag=True, help="Every item that would wait.")
@click.option(
    "--key", metavar="KEY", help="Only if the call with this idempotency key is the one that waits."
)
@json_option
def decide(
    task: str,
    branch: str | None,
    reuse: bool,
    run: bool,
    skipped: str | None,
    fail: bool,
    items: tuple[int, ...],
    all_items: bool,
    key: str | None,
    as_json: bool,
) -> None:
    """Decide about a call whose outcome nobody knows.

    A call of an irreversible tool is never repeated by itself: where it is unknown whether it happened, the
    run waits. `show` tells what it waits for, and what each choice will do. The decision is a commit; `resume` then
    goes on. Of a `for_each`, the items that wait may be decided about one by one, some of them, or all at once.
    """
    if items and all_items:
        raise click.UsageError("give --item or --all-items, not both")
    choice, value = _choice({"reuse": reuse, "run": run, "fail": fail}, skipped)
    decision = Decision(choice, value, () if all_items else items or None, key)
    with open_desk() as desk:
        decided = desk.decide(task, branch, decision)
    if as_json:
        emit_json(decided.to_json())
    else:
        show(_lines(decided))


def _choice(flags: Mapping[str, bool], skipped: str | None) -> tuple[str, Json]:
    choices = [choice for choice, is_set in flags.items() if is_set]
    if len(choices) + (skipped is not None) != 1:
        raise click.UsageError(
            "give exactly one of --reuse, --run, --skip JSON, --fail", click.get_current_context()
        )
    if skipped is None:
        return choices[0], None
    return "skip", read_json(skipped, "the value of --skip", "a text needs its quotes: '\"done\"'")


def _lines(decided: Decided) -> list[Line]:
    place = decided.waiting.place
    items = ", ".join(f"{item:,}" for item in decided.items)
    item = f" item {items}" if items else ""
    what = f"{decided.choice} step {place.seq_no}{item}, {decided.waiting.tool}"
    resume = command_line("resume", short_task(decided.task_id))
    return [
        [("✓ decided", GOOD), f"  {what}  on {decided.branch}, commit {short_commit(decided.commit)}"],
        [f"`{resume}` goes on"],
    ]
