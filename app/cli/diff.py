"""``diff``: two revisions of a task, at three levels."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.diff_text import difference_lines
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, task_argument
from app.cli.screen import show
from app.services.diffs import diff_revisions
from app.services.tasks import find_task


@click.command(
    cls=Command, examples=["3f2a91c4 main~3", "3f2a91c4 main try-2 --plan", "3f2a91c4 main~1 --text"]
)
@task_argument
@click.argument("old", metavar="REV")
@click.argument("new", metavar="[REV]", required=False)
@click.option(
    "--plan", "levels", flag_value="plan", help="Only the plans: steps added, removed, moved, changed."
)
@click.option("--state", "levels", flag_value="state", help="Only the states: variables, status, next step.")
@click.option(
    "--text", "levels", flag_value="text", help="The files of the two commits, as `git diff` shows them."
)
@json_option
def diff(task: str, old: str, new: str | None, levels: str | None, as_json: bool) -> None:
    """Show what differs between two revisions of a task, from the first to the second.

    The second is the head of the current branch, unless it is given. Plans are compared by what their steps
    do: renumbering them changes nothing.
    """
    with workplace() as place:
        difference = diff_revisions(place, find_task(place, task), old, new)
    if not as_json:
        show(difference_lines(difference, levels))
        return
    document = difference.to_json()
    if levels is not None:
        document = {key: document[key] for key in ("from", "to", levels)}
    emit_json(document)
