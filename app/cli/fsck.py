"""``fsck``: whether everything that is kept is what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from app.bootstrap import workplace
from app.cli.counting import counting
from app.cli.exit_codes import COMPLETED, FAILED
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, quiet_option
from app.cli.screen import BAD, GOOD, ID, NAME, QUIET, WARN, Line, show
from app.cli.texts import count, short_task
from app.services.fsck import Checked, Finding, find_damage


@click.command(cls=Command, examples=["", "3f2a91c4", "--json"])
@click.argument("tasks", metavar="[TASK]...", nargs=-1)
@quiet_option
@json_option
def fsck(tasks: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Look for damage in tasks, all of them or those named.

    Every object of their histories is read and compared with its id, also those that no branch reaches; every
    branch is walked to its first commit, each commit's layout read; and every row of the database is compared
    with its checksum and with the history. Without TASK, also what belongs to no task. Nothing is changed.

    Exits with 1 where something is damaged, which each line names. What a process that was killed has left
    is listed and no damage: `gc` clears it away. Works beside running tasks.
    """
    checked = Checked()
    with (
        counting(silent=quiet or as_json) as tell,
        workplace() as place,
    ):
        findings = list(find_damage(place, tasks, checked, lambda done: tell(_progress(done))))
    damaged = [finding for finding in findings if not finding.is_leftover]
    if as_json:
        emit_json(_document(checked, findings))
    else:
        show(_lines(checked, findings))
    raise click.exceptions.Exit(FAILED if damaged else COMPLETED)


def _progress(done: Checked) -> str:
    return f"{count(done.tasks, 'task')}, {count(done.objects, 'object')} checked"


def _document(checked: Checked, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "clean": all(finding.is_leftover for finding in findings),
        "tasks": checked.tasks,
        "findings": [finding.to_json() for finding in findings],
    }


def _lines(checked: Checked, findings: Sequence[Finding]) -> Iterator[Line]:
    damaged = sum(not finding.is_leftover for finding in findings)
    for finding in findings:
        mark = ("!", WARN) if finding.is_leftover else ("✗", BAD)
        task = short_task(finding.task_id) if finding.task_id is not None else "-"
        yield [mark, " ", (task, ID), "  ", (finding.what, NAME), f" {finding.problem}"]
        yield [(f"    {finding.hint}", QUIET)]
    if damaged:
        yield [("✗ damaged", BAD), f"  {count(damaged, 'finding')} in {count(checked.tasks, 'task')}"]
    else:
        left = f", {count(len(findings), 'leftover')}" if findings else ""
        yield [("✓ clean", GOOD), f"  {count(checked.tasks, 'task')}{left}"]
