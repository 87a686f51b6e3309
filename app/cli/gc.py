"""``gc``: clearing away what nobody needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import click

from app.bootstrap import workplace
from app.cli.counting import counting
from app.cli.exit_codes import FAILED
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, quiet_option
from app.cli.screen import GOOD, ID, QUIET, WARN, Line, show
from app.cli.texts import byte_size, count, short_task
from app.services.gc import Cleared, GcOptions, clear_away

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGE: Final = re.compile(r"(\d{1,9})([smhdw])\Z")
_DAY_MS: Final = 86_400_000


class AgeType(click.ParamType[int]):
    """A time as ``30d``; gives milliseconds."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read one."""
        if isinstance(value, int):
            return value
        match = _AGE.match(str(value))
        if match is None:
            self.fail(f"{value!r} is no age; for example 30d, 12h, 45m", param, ctx)
        return int(match[1]) * _UNITS[match[2]] * 1000


@click.command(cls=Command, examples=["", "--dry-run", "--older-than 30d", "3f2a91c4 --json"])
@click.argument("tasks", metavar="[TASK]...", nargs=-1)
@click.option(
    "--older-than",
    type=AgeType(),
    metavar="AGE",
    help="Also delete tasks that ended and were not touched for so long: 30d, 12h, 45m. Default: RETENTION_DAYS.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Only say what would be cleared away.")
@quiet_option
@json_option
def gc(tasks: tuple[str, ...], older_than: int | None, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Clear away what no branch reaches, and tasks that ended long ago.

    Of all tasks or those named: objects that no branch reaches, and what is known of the calls of branches that
    are gone. Without TASK, also what killed processes left: histories without a task (after an hour), rows,
    files. Nothing that a branch reaches is ever touched; the commits of a deleted branch go for good.

    With --older-than or RETENTION_DAYS, tasks that have completed, failed or been cancelled are deleted once
    nothing happened to them for so long. One that waits, is paused or queued stays, as one with such a branch.

    A task that is being run is skipped, as one that is damaged; exit code 1 where it was named. A database's file
    doesn't shrink: what is freed is used again. For SQLite, `sqlite3 var/stackvm.db VACUUM` while nothing runs gives
    it back to the disk.
    """
    with counting(silent=quiet or as_json) as tell, workplace() as place:
        if older_than is None and place.retention_days is not None:
            older_than = place.retention_days * _DAY_MS
        options = GcOptions(older_than, dry_run, lambda done: tell(f"{count(done, 'task')} looked at"))
        cleared = clear_away(place, tasks, options)
    if as_json:
        emit_json({"dry_run": dry_run, **cleared.to_json()})
    else:
        show(_lines(cleared, dry_run))
    if tasks and cleared.skipped:
        raise click.exceptions.Exit(FAILED)


def _lines(cleared: Cleared, dry_run: bool) -> Iterator[Line]:
    for skipped in cleared.skipped:
        yield [("! skipped ", WARN), (short_task(skipped.task_id), ID), f"  {skipped.reason}"]
    verb = "would delete" if dry_run else "deleted"
    for task_id in cleared.tasks:
        yield [f"{verb} task ", (task_id, ID)]
    parts = [
        count(len(cleared.tasks), "task"),
        "1 branch" if cleared.branches == 1 else f"{cleared.branches:,} branches",
        count(cleared.objects, "object"),
    ]
    if cleared.histories:
        parts.append(
            "1 history without a task" if cleared.histories == 1 else f"{cleared.histories:,} histories"
        )
    yield [
        ("would free " if dry_run else "✓ freed ", GOOD),
        byte_size(cleared.bytes),
        ("  " + ", ".join(parts), QUIET),
    ]
    if cleared.mended:
        yield [
            f"  {count(cleared.mended, 'branch row')} {'missing' if dry_run else 'made that were missing'}"
        ]
