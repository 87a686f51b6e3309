"""``explain``: why each step of a run ran, or was reused."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.explain_text import explanation_lines
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json, json_option, task_argument
from app.cli.screen import show
from app.services.explain import explain_run
from app.services.tasks import find_task


@click.command(cls=Command, examples=["3f2a91c4", "3f2a91c4 --branch revision-1 --step 3 --json"])
@task_argument
@branch_option
@click.option("--step", type=int, metavar="N", help="Only this step.")
@json_option
def explain(task: str, branch: str | None, step: int | None, as_json: bool) -> None:
    """Say why each step ran, or was reused.

    `kept`: before the fork point, both runs share it. `reused`: taken from an earlier commit. `ran`: with the parts
    of its key that differ from the same step of the run that was forked, old and new.
    """
    with workplace() as place:
        row = find_task(place, task)
        name, fork, explained = explain_run(place, row, branch, step)
    if as_json:
        emit_json([each.to_json() for each in explained])
    else:
        show(explanation_lines(name, fork, explained))
