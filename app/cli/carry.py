"""``export`` and ``import``: a task as one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import command_line, emit_json, history_option, json_option, task_argument
from app.cli.screen import GOOD, ID, NAME, QUIET, STATUS_STYLES, WARN, Line, show
from app.cli.texts import byte_size, count, short_task
from app.services.exports import Exported, export_task
from app.services.imports import Imported, import_task
from app.services.tasks import find_task

_file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.command(cls=Command, examples=["3f2a91c4 longest-modules.bundle"])
@task_argument
@_file_argument
@click.option("--force", is_flag=True, help="Overwrite FILE where it is there already.")
@json_option
def export(task: str, file: Path, force: bool, as_json: bool) -> None:
    """Write a task to one file, to be imported elsewhere.

    FILE holds every branch, and all that is known of calls that were begun or are not committed yet. Ids stay as
    they are. It is a git bundle: `git bundle verify FILE`, `git clone FILE`. The same task gives the same bytes.

    While a worker runs one of the task's branches, nothing is exported: what both went on with would happen twice.
    For the same reason, go on with the task in one place only.
    """
    with workplace() as place:
        exported = export_task(place, find_task(place, task), file, replace=force)
    if as_json:
        emit_json(exported.to_json())
    else:
        show(_exported_lines(exported))


def _exported_lines(exported: Exported) -> Iterator[Line]:
    yield [
        ("✓ exported ", GOOD),
        (short_task(exported.task_id), ID),
        " to ",
        (str(exported.file), NAME),
        (f"  {byte_size(exported.bytes)}, {_sizes(exported)}", QUIET),
    ]


@click.command(
    "import", cls=Command, examples=["longest-modules.bundle", "longest-modules.bundle --history git"]
)
@_file_argument
@history_option
@json_option
def import_(file: Path, history: str | None, as_json: bool) -> None:
    """Take in a task that `export` wrote, under its own id.

    All of FILE is verified first; what is damaged, incomplete or of a newer format is refused, and nothing is kept
    of it. The task then is as it was: `replay` it, `resume` it, decide what it waits for, revise it. One that was
    queued or cut short is paused here.
    """
    with workplace() as place:
        imported = import_task(place, file, history)
    if as_json:
        emit_json(imported.to_json())
    else:
        show(_imported_lines(imported))


def _imported_lines(imported: Imported) -> Iterator[Line]:
    task = imported.task
    yield [
        ("✓ imported ", GOOD),
        (short_task(task.id), ID),
        "  ",
        (task.status, STATUS_STYLES.get(task.status, "")),
        (f"  {_sizes(imported)}", QUIET),
    ]
    if not imported.has_namespace:
        make = command_line("namespace", "create", str(task.namespace))
        yield [
            (f"! there is no namespace {task.namespace!r} here", WARN),
            "; until then the task can be replayed, but not go on",
        ]
        yield [f"  {make}", ("  makes it", QUIET)]
    yield [f"  {command_line('replay', short_task(task.id))}", ("  runs it again from its records", QUIET)]


def _sizes(carried: Exported | Imported) -> str:
    branches = f"{carried.branches:,} {'branch' if carried.branches == 1 else 'branches'}"
    return f"{branches}, {count(carried.commits, 'commit')}"
