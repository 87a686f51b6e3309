"""``tasks``, ``delete``, ``clone``: tasks as a whole."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.bootstrap import workplace
from app.cli.desks import open_desk
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, limit_type, task_argument
from app.cli.screen import ID, NAME, QUIET, STATUS_STYLES, Line, Segment, show, table
from app.cli.streams import is_terminal, note
from app.cli.texts import byte_size, moment, short_task
from app.db.base import TaskRow
from app.history.commits import one_line
from app.services.clones import clone_task
from app.services.deletion import delete_task
from app.services.tasks import find_task, task_document

_GOAL_CHARACTERS = 100


@click.command(cls=Command, asks_servers=True, examples=["", "--status failed --limit 5"])
@click.option(
    "--status", metavar="STATUS", help="Only tasks with this status, as completed, failed, waiting."
)
@click.option("--limit", type=limit_type, default=50, show_default=True, metavar="N", help="At most so many.")
@json_option
def tasks(status: str | None, limit: int, as_json: bool) -> None:
    """List the tasks, newest first."""
    with open_desk() as desk:
        rows = desk.tasks(status, limit)
    if as_json:
        emit_json([task_document(row) for row in rows])
    elif rows:
        show(table(["TASK", "STATUS", "STEPS", "BRANCH", "CREATED", "GOAL"], [_cells(row) for row in rows]))
    else:
        note("no tasks" if status is None else f"no tasks with status {status}")


def _cells(row: TaskRow) -> list[Segment]:
    return [
        (short_task(row.id), ID),
        (row.status, STATUS_STYLES.get(row.status, "")),
        f"{row.steps:,}",
        row.current_branch,
        (moment(row.created_ms), QUIET),
        one_line(row.goal, _GOAL_CHARACTERS),
    ]


@click.command(cls=Command, examples=["3f2a91c4", "3f2a91c4 --yes"])
@task_argument
@click.option("--yes", "-y", is_flag=True, help="Don't ask, even at a terminal.")
@json_option
def delete(task: str, yes: bool, as_json: bool) -> None:
    """Remove a task and its whole history.

    Every row and every file of it goes, also where the history is damaged or missing. At a terminal it asks
    first, in a script it doesn't. What was deleted can't be brought back; `clone` keeps a copy. A task that is
    being run is not deleted.
    """
    with workplace() as place:
        row = find_task(place, task)
        if not yes and is_terminal(sys.stdin):
            goal = one_line(row.goal, _GOAL_CHARACTERS)
            click.confirm(f"delete {short_task(row.id)} ({goal}) and its history?", abort=True, err=True)
        freed = delete_task(place, row)
    if as_json:
        emit_json({"task_id": row.id, "deleted": True, "bytes": freed})
    else:
        show([["deleted task ", (row.id, NAME), f", {byte_size(freed)} freed"]])


@click.command(cls=Command, examples=["3f2a91c4 run-history"])
@task_argument
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def clone(task: str, folder: Path, as_json: bool) -> None:
    """Make a git clone of a task's history.

    DIR becomes an ordinary git repository with all branches, whatever store the history is kept in:
    `git -C DIR log -p`, `git -C DIR blame plan.json`.
    """
    with workplace() as place:
        row = find_task(place, task)
        head = clone_task(place, row, folder)
    if as_json:
        emit_json(
            {
                "task_id": row.id,
                "branch": row.current_branch,
                "commit": head,
                "folder": str(folder.absolute()),
            }
        )
    else:
        show(_clone_lines(row, folder))


def _clone_lines(row: TaskRow, folder: Path) -> list[Line]:
    return [
        [
            "cloned ",
            (short_task(row.id), ID),
            " into ",
            (str(folder), NAME),
            f", branch {row.current_branch}",
        ],
        [f"  git -C {folder} log -p", ("  what each step changed", QUIET)],
    ]
