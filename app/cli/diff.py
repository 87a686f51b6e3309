"""``diff``: two revisions of a task, or of two: plans, states, texts, runs."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.diff_text import HUMAN_LEVELS, difference_lines
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, task_argument
from app.cli.screen import show
from app.services.diffs import LEVELS, diff_revisions
from app.services.tasks import find_task


@click.command(
    cls=Command,
    examples=[
        "3f2a91c4 main~3",
        "3f2a91c4 main try-2 --runs",
        "3f2a91c4 main 9bc1e07d:main --runs",
        "3f2a91c4 main~1 --text",
    ],
)
@task_argument
@click.argument("old", metavar="REV")
@click.argument("new", metavar="[REV]", required=False)
@click.option(
    "--plan", "level", flag_value="plan", help="Only the plans: steps added, removed, moved, changed."
)
@click.option("--state", "level", flag_value="state", help="Only the states: variables, status, next step.")
@click.option(
    "--text", "level", flag_value="text", help="The files of the two commits, as `git diff` shows them."
)
@click.option(
    "--runs", "level", flag_value="runs", help="Only the runs that lead there: what each of their steps did."
)
@json_option
def diff(task: str, old: str, new: str | None, level: str | None, as_json: bool) -> None:
    """Show what differs between two revisions of a task, from the first to the second.

    The second is the head of the current branch, unless it is given. TASK:REV is a revision of another task, TASK:
    the head of its current branch.

    Plans are compared by what their steps do: renumbering them changes nothing. Runs are compared in the same way,
    where neither revision came before the other: their executed steps side by side, those that did the same left
    out, the first that did not marked. Steps differ in their inputs (resolved arguments, assigned values) or in the
    output they gave for the same inputs; or another step stands in their place, or only one run has them.
    """
    levels = [level] if level is not None else LEVELS if as_json else HUMAN_LEVELS
    with workplace() as place:
        difference = diff_revisions(place, find_task(place, task), old, new, levels)
    if not as_json:
        show(difference_lines(difference))
        return
    document = difference.to_json()
    runs = document.pop("runs") if level == "runs" else {}
    emit_json({**document, **runs})
