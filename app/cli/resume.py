"""``resume``: go on with a run."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import branch_option, json_option, max_steps_option, quiet_option, task_argument
from app.cli.running import Manner, parallel_option, run_to_its_end
from app.services.branches import require_branch
from app.services.tasks import find_task, open_repository
from app.vm.interrupts import Interrupts


@click.command(cls=Command, examples=["3f2a91c4", "3f2a91c4 --max-steps 5000", "3f2a91c4 --branch try-2"])
@task_argument
@branch_option
@max_steps_option
@parallel_option
@json_option
@quiet_option
def resume(
    task: str, branch: str | None, max_steps: int | None, parallel: int, as_json: bool, quiet: bool
) -> None:
    """Go on with a run from where it stands.

    After an interruption it goes on, calling only what has no outcome yet; on a failed run it tries the
    failed step again; on a completed one it prints the answer. Where another process runs the branch, it
    waits for it.
    """
    with workplace() as place, Interrupts().from_signals() as interrupts:
        row = find_task(place, task)
        with open_repository(place, row) as repository:
            name = require_branch(repository, row, branch)
        manner = Manner(as_json, quiet)
        run_to_its_end(place, row, name, interrupts, manner, max_steps=max_steps, parallel=parallel)
