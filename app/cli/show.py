"""``show``: a task at a revision."""

from __future__ import annotations

import click

from app.cli.desks import open_desk
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, task_argument
from app.cli.screen import show as show_lines
from app.cli.show_text import task_lines


@click.command(
    cls=Command,
    asks_servers=True,
    examples=["3f2a91c4", "3f2a91c4 --at main~3", "3f2a91c4 --json | jq .variables"],
)
@task_argument
@click.option("--at", "revision", metavar="REV", help="Show it as it was there; default: the current branch.")
@json_option
def show(task: str, revision: str | None, as_json: bool) -> None:
    """Show a task: its plan, each step's state, its variables.

    Steps are marked ✓ done, ✗ failed, → next, ? waiting, · pending. Values are shown by their beginning;
    --json has them whole. Where the run waits for a decision, it says which and how to make it.
    """
    with open_desk() as desk:
        view = desk.show(task, revision)
    if as_json:
        emit_json(view.to_json())
    else:
        show_lines(task_lines(view))
