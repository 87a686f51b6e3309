"""``pause`` and ``cancel``: steer a run that another process has."""

from __future__ import annotations

from collections.abc import Callable

import click

from app.cli.desks import open_desk
from app.cli.groups import Command
from app.cli.options import branch_option, command_line, emit_json, json_option, quiet_option, task_argument
from app.cli.screen import GOOD, QUIET, Line, show
from app.cli.streams import note
from app.cli.texts import count, short_task
from app.services.steering import Steered
from app.vm.state import CANCELLED, PAUSED

_no_wait_option = click.option(
    "--no-wait",
    is_flag=True,
    help="Don't wait until whoever runs it has done so; Ctrl-C gives up waiting too.",
)


@click.command(
    cls=Command, asks_servers=True, examples=["3f2a91c4", "3f2a91c4 --branch revision-1 --no-wait"]
)
@task_argument
@branch_option
@_no_wait_option
@json_option
@quiet_option
def pause(task: str, branch: str | None, no_wait: bool, as_json: bool, quiet: bool) -> None:
    """Have a run pause at its next step.

    The step under way is finished and committed first; a `for_each` is one step. `resume` goes on from there, in any
    process. A run whose process has died is paused at once.
    """
    with open_desk() as desk:
        on_asked = _teller("pause", as_json=as_json or quiet)
        steered = desk.pause(task, branch, wait=not no_wait, on_asked=on_asked)
    _show(steered, PAUSED, as_json)


@click.command(cls=Command, asks_servers=True, examples=["3f2a91c4"])
@task_argument
@branch_option
@_no_wait_option
@json_option
@quiet_option
def cancel(task: str, branch: str | None, no_wait: bool, as_json: bool, quiet: bool) -> None:
    """End a run for good; its history stays.

    Calls under way are told to end, and given up after a few seconds. The cancellation is a commit, so the run can't
    be resumed; `fork` goes on from any of its commits. A run that nobody has is cancelled at once.
    """
    with open_desk() as desk:
        on_asked = _teller("cancel", as_json=as_json or quiet)
        steered = desk.cancel(task, branch, wait=not no_wait, on_asked=on_asked)
    _show(steered, CANCELLED, as_json)


def _teller(request: str, *, as_json: bool) -> Callable[[str], None]:
    def tell_asked(owner: str) -> None:
        if not as_json:
            note(f"asked {owner.partition('/')[0]} to {request} it")

    return tell_asked


def _show(steered: Steered, done: str, as_json: bool) -> None:
    if as_json:
        emit_json(steered.to_json())
        return
    place = f"{short_task(steered.task_id)} {steered.branch}"
    if steered.status != done:
        show([[f"{place} will be {done} at its next step"]])
        return
    lines: list[Line] = [[(f"✓ {done}", GOOD), f"  {place}  {count(steered.steps, 'step')}"]]
    if done == PAUSED:
        resume = command_line("resume", short_task(steered.task_id))
        lines.append([f"  {resume}", ("  goes on from here", QUIET)])
    show(lines)
