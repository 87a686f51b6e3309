"""``resume``: go on with a run."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.desks import open_server_desk
from app.cli.following import resume_and_follow
from app.cli.groups import Command
from app.cli.options import branch_option, json_option, max_steps_option, quiet_option, task_argument
from app.cli.running import Manner, parallel_option, run_to_its_end
from app.config import load_settings
from app.services.branches import require_branch
from app.services.tasks import find_task, open_repository
from app.vm.interrupts import Interrupts


@click.command(
    cls=Command,
    asks_servers=True,
    examples=["3f2a91c4", "3f2a91c4 --max-steps 5000", "3f2a91c4 --branch try-2"],
)
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
    waits for it; against a server, it follows the run then.
    """
    manner, settings = Manner(as_json, quiet), load_settings()
    with open_server_desk(settings) as desk:
        if desk is not None:
            resume_and_follow(desk, task, branch, manner, max_steps=max_steps, parallel=parallel)
    with workplace(settings) as place, Interrupts().from_signals() as interrupts:
        row = find_task(place, task)
        with open_repository(place, row) as repository:
            name = require_branch(repository, row, branch)
        run_to_its_end(place, row, name, interrupts, manner, max_steps=max_steps, parallel=parallel)
