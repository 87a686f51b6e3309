"""``golden``: runs that are stored to see, later, what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click

from app.bootstrap import workplace
from app.cli.exit_codes import FAILED
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json, json_option, task_argument
from app.cli.runs_text import end_lines, run_lines
from app.cli.screen import BAD, GOOD, NAME, QUIET, WARN, Line, show
from app.cli.texts import count
from app.services.golden import GoldenResult, check_golden, choose_golden, golden_names, record_golden
from app.services.tasks import find_task

_MARKS = {"same": ("✓", GOOD), "different": ("✗", BAD), "error": ("!", WARN)}


@click.command(cls=Command, examples=["3f2a91c4 longest-modules"])
@task_argument
@click.argument("name", metavar="NAME")
@branch_option
@click.option("--replace", is_flag=True, help="Overwrite the golden run of that name.")
@json_option
def record(task: str, name: str, branch: str | None, replace: bool, as_json: bool) -> None:
    """Store a run that has ended as a golden run.

    It becomes one file, NAME.bundle in GOLDEN_DIR, to be kept with your code; `git clone` reads it, too.
    """
    with workplace() as place:
        path = record_golden(place, find_task(place, task), branch, name, replace=replace)
    if as_json:
        emit_json({"name": name, "file": str(path)})
    else:
        show([[("✓ recorded", GOOD), f"  {name} in {path}"]])


@click.command(cls=Command, examples=["", "longest-modules --json"])
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Run golden runs again and compare, all or those named.

    Plan and edits are as they were; tools, prompts and interpreter are today's. Where a call asks what was recorded,
    the recorded outcome is taken. Other calls are made, except those that change the outside: they count as a
    difference. The exit code is 1 where any run differs.
    """
    with workplace(check_schema=False) as place:
        chosen = choose_golden(place, names)
        results = []
        for name in chosen:
            results.append(check_golden(place, name))
            if not as_json:
                show(_lines(results[-1]))
    if as_json:
        emit_json([result.to_json() for result in results])
    else:
        show([_summary(results)])
    if any(result.verdict != "same" for result in results):
        raise click.exceptions.Exit(FAILED)


@click.command("list", cls=Command)
@json_option
def list_all(as_json: bool) -> None:
    """List the golden runs."""
    with workplace(check_schema=False) as place:
        names = golden_names(place.golden_folder)
        folder = place.golden_folder
    if as_json:
        emit_json(names)
    elif names:
        show([[(name, NAME)] for name in names])
    else:
        show([[(f"there are none in {folder}; `stackvm golden record TASK NAME` stores one", QUIET)]])


def _lines(result: GoldenResult) -> Iterator[Line]:
    made = f"  {count(result.made, 'call')} made" if result.made else ""
    yield [_MARKS[result.verdict], f" {result.name}", (made, QUIET)]
    if result.error is not None:
        yield [f"  {result.error}"]
    if result.comparison is not None:
        yield from run_lines(result.comparison)
        yield from end_lines(result.comparison)
        yield []


def _summary(results: list[GoldenResult]) -> Line:
    tally = Counter(result.verdict for result in results)
    return [
        ", ".join(
            f"{tally[verdict]} {verdict}" for verdict in ("same", "different", "error") if tally[verdict]
        )
    ]
