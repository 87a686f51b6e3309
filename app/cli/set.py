"""``set``: change variables of a run, and go on from there."""

from __future__ import annotations

from dataclasses import replace

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, quiet_option, read_json, task_argument
from app.cli.running import Manner, run_to_its_end
from app.cli.screen import ID, NAME, tell
from app.cli.texts import short_commit
from app.errors import InputError
from app.plan.model import Json
from app.services.edits import set_variables
from app.services.tasks import find_task
from app.vm.interrupts import Interrupts

_HINT = """for example limit=5 or 'name="Ann"'; a text needs its quotes"""


@click.command("set", cls=Command, examples=["3f2a91c4 limit=5 --at main~3", '3f2a91c4 \'names=["a", "b"]\''])
@task_argument
@click.argument("settings", metavar="VAR=JSON...", nargs=-1, required=True)
@click.option("--at", metavar="REV", help="Fork here; default: the head of the current branch.")
@click.option("--name", metavar="NEW", help="Name of the new branch; default: the next free edit-N.")
@click.option("--no-run", is_flag=True, help="Commit the edit and stop; `resume` goes on.")
@json_option
@quiet_option
def set_(
    task: str,
    settings: tuple[str, ...],
    at: str | None,
    name: str | None,
    no_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Set variables at any commit, and go on from there.

    The run goes on on a new branch. What was asked before with the same inputs is not asked again.
    """
    variables = dict(_setting(text) for text in settings)
    manner = Manner(as_json, quiet)
    with workplace() as place, Interrupts().from_signals() as interrupts:
        row = find_task(place, task)
        edited = set_variables(place, row, variables, at, name)
        if not manner.is_silent:
            behind: list[str | tuple[str, str]] = [(short_commit(edited.fork_point), ID)]
            tell(
                [[("edit", NAME), f" of {', '.join(edited.variables)} as {edited.branch}, behind ", *behind]]
            )
        if no_run:
            if as_json:
                emit_json(edited.to_json())
            return
        row = replace(row, current_branch=edited.branch)
        run_to_its_end(
            *(place, row, edited.branch, interrupts, manner),
            more=lambda report: {"fork_point": edited.fork_point, "edit": edited.commit},
        )


def _setting(text: str) -> tuple[str, Json]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text!r} has no =", hint=_HINT)
    return name, read_json(value, f"the value of {name}", _HINT)
