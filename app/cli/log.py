"""``log``: the commits of a run, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import click

from app.cli.desks import open_desk
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json, json_option, limit_type, task_argument
from app.cli.screen import BAD, GOOD, ID, NAME, QUIET, WARN, Line, show
from app.cli.texts import short_commit
from app.history.commits import one_line
from app.services.inspect import LogEntry

_MARKS: Final = {
    "goal": ("◆", NAME),
    "plan": ("≡", NAME),
    "step": ("✓", GOOD),
    "failure": ("✗", BAD),
    "revision": ("≡", NAME),
    "decision": ("?", WARN),
    "approval": ("?", WARN),
    "edit": ("±", WARN),
    "push": ("↑", NAME),
    "stop": ("■", BAD),
}
"""Kind of commit → its mark."""


@click.command(
    cls=Command,
    asks_servers=True,
    examples=["3f2a91c4", "3f2a91c4 --branch try-2 --limit 5", "3f2a91c4 --records"],
)
@task_argument
@branch_option
@click.option("--limit", type=limit_type, metavar="N", help="At most so many; default: all.")
@click.option("--records", is_flag=True, help="With each commit's record: inputs, outcome, times.")
@json_option
def log(task: str, branch: str | None, limit: int | None, records: bool, as_json: bool) -> None:
    """List the commits of a run, newest first.

    Each line has the commit's id, a mark for its kind and what the step did: ◆ goal, ≡ plan, ✓ step,
    ✗ failure, ? decision, ■ stop.
    """
    with open_desk() as desk:
        entries = desk.log(task, branch, limit, with_records=records)
        if as_json:
            emit_json([entry.to_json() for entry in entries])
            return
        heads: dict[str, list[str]] = {}
        for view in desk.branches(task):
            heads.setdefault(view.commit, []).append(view.name)
        show(_lines(entries, heads))


def _lines(entries: Iterator[LogEntry], heads: dict[str, list[str]]) -> Iterator[Line]:
    for entry in entries:
        commit = entry.commit
        mark, style = _MARKS.get(commit.kind, ("·", ""))
        names = heads.get(commit.id)
        where = (f" ({', '.join(names)})", NAME) if names else ""
        yield [(short_commit(commit.id), ID), where, " ", (mark, style), f" {one_line(commit.subject, 500)}"]
        if entry.record is not None:
            for line in json.dumps(entry.record, ensure_ascii=False, indent=2).splitlines():
                yield [(f"    {line}", QUIET)]
