"""``replay``: a run again from its records, with nothing called."""

from __future__ import annotations

from collections.abc import Iterator

import click

from app.bootstrap import workplace
from app.cli.exit_codes import COMPLETED, FAILED
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json, json_option, task_argument
from app.cli.screen import BAD, GOOD, ID, NAME, QUIET, Line, show
from app.cli.texts import count, preview, short_commit
from app.services.replays import replay_branch, replay_document
from app.services.tasks import find_task
from app.vm.replay import ReplayResult

_VALUE_CHARACTERS = 60


@click.command(cls=Command, examples=["3f2a91c4", "3f2a91c4 --branch try-2 --json"])
@task_argument
@branch_option
@json_option
def replay(task: str, branch: str | None, as_json: bool) -> None:
    """Replay a run without calling anything, and compare.

    Every step is executed again from the recorded outcomes: no tool and no model is called. Each commit has
    to come out with the id that is stored. Exits with 1 where one doesn't, and shows what differs.
    """
    with workplace() as place:
        row = find_task(place, task)
        name, result = replay_branch(place, row, branch)
    if as_json:
        emit_json(replay_document(row, name, result))
    else:
        show(_lines(name, result))
    raise click.exceptions.Exit(COMPLETED if result.divergence is None else FAILED)


def _lines(branch: str, result: ReplayResult) -> Iterator[Line]:
    divergence = result.divergence
    checked = f"{count(result.commits, 'commit')}, {count(result.objects, 'object')}"
    if divergence is None:
        yield [("✓ identical", GOOD), f"  {branch} at ", (short_commit(result.head), ID), f"  {checked}"]
        return
    yield [
        ("✗ differs", BAD),
        f"  {branch} at commit ",
        (short_commit(divergence.commit), ID),
        f"  {divergence.subject}",
    ]
    yield [f"  {divergence.reason}; up to there {checked} are identical"]
    for what, (stored, replayed) in divergence.differences.items():
        yield [("  " + what, NAME)]
        yield [("    stored    ", QUIET), preview(stored, _VALUE_CHARACTERS)]
        yield [("    replayed  ", QUIET), preview(replayed, _VALUE_CHARACTERS)]
