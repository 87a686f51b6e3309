"""``branches``, ``fork``, ``delete-branch``."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import command_line, emit_json, json_option, task_argument
from app.cli.screen import ID, NAME, QUIET, STATUS_STYLES, Segment, show, table
from app.cli.texts import short_commit, short_task
from app.history.commits import one_line
from app.services.branches import BranchView, fork_branch, list_branches
from app.services.branches import delete_branch as remove_branch
from app.services.tasks import find_task


@click.command(cls=Command, examples=["3f2a91c4"])
@task_argument
@json_option
def branches(task: str, as_json: bool) -> None:
    """List the branches of a task. The current one is marked: a command that names none means that one."""
    with workplace() as place:
        row = find_task(place, task)
        views = list_branches(place, row)
    if as_json:
        emit_json([{"task_id": row.id, **view.to_json()} for view in views])
    else:
        show(table(["BRANCH", "STATUS", "STEPS", "COMMIT", "LAST"], [_cells(view) for view in views]))


def _cells(view: BranchView) -> list[Segment]:
    return [
        (f"* {view.name}", NAME) if view.is_current else f"  {view.name}",
        (view.status, STATUS_STYLES.get(view.status, "")),
        f"{view.steps:,}",
        (short_commit(view.commit), ID),
        one_line(view.subject, 100),
    ]


@click.command(cls=Command, examples=["3f2a91c4 --at main~3 --name try-2"])
@task_argument
@click.option(
    "--at",
    "revision",
    required=True,
    metavar="REV",
    help="The commit to begin at: a branch, an id, or either with ~N.",
)
@click.option("--name", required=True, metavar="BRANCH", help="What the new branch is called.")
@json_option
def fork(task: str, revision: str, name: str, as_json: bool) -> None:
    """Begin a branch at any commit.

    Nothing is copied, however long the history is. `resume TASK --branch BRANCH` then runs it from there.
    """
    with workplace() as place:
        row = find_task(place, task)
        view = fork_branch(place, row, revision, name)
    if as_json:
        emit_json({"task_id": row.id, **view.to_json()})
        return
    resume = command_line("resume", short_task(row.id), "--branch", name)
    show(
        [
            [
                "branch ",
                (view.name, NAME),
                " at ",
                (short_commit(view.commit), ID),
                f"  {one_line(view.subject, 100)}",
            ],
            [f"  {resume}", ("  runs it from there", QUIET)],
        ]
    )


@click.command("delete-branch", cls=Command, examples=["3f2a91c4 try-2"])
@task_argument
@click.argument("branch", metavar="BRANCH")
@json_option
def delete_branch(task: str, branch: str, as_json: bool) -> None:
    """Remove a branch. Its commits stay: `fork` at the id that is printed brings it back."""
    with workplace() as place:
        row = find_task(place, task)
        head = remove_branch(place, row, branch)
    if as_json:
        emit_json({"task_id": row.id, "branch": branch, "commit": head.id, "deleted": True})
    else:
        show([["deleted branch ", (branch, NAME), ", it was at ", (head.id, ID)]])
