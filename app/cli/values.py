"""``values``: every value that a variable had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from app.bootstrap import workplace
from app.cli.commit_text import step_text
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json_list, json_option, limit_type, task_argument
from app.cli.screen import BAD, GOOD, ID, QUIET, WARN, Line, Segment, cells, show, width
from app.cli.texts import kind_and_size, preview, short_commit
from app.history.commits import one_line
from app.services.tasks import find_task
from app.services.values import VariableValue, read_values

_MARKS: Final = {"set": ("+", GOOD), "changed": ("~", WARN), "again": ("=", QUIET), "unset": ("-", BAD)}
_STEP_CHARACTERS: Final = 20
_MARGIN: Final = 14
"""Columns of the mark, the commit, and the spaces between."""


@click.command(cls=Command, examples=["3f2a91c4 seen", "3f2a91c4 seen --branch try-2 --limit 5"])
@task_argument
@click.argument("variable", metavar="VAR")
@branch_option
@click.option("--limit", type=limit_type, metavar="N", help="Only the last so many; default: all.")
@json_option
def values(task: str, variable: str, branch: str | None, limit: int | None, as_json: bool) -> None:
    """Show every value that a variable had, oldest first.

    A line for each commit that set it: + it had no value before, ~ another one, = the same (it was set again),
    - it was taken away. Values are shown by their beginning; --json has them whole.
    """
    with workplace() as place:
        found = read_values(place, find_task(place, task), branch, variable, limit)
        if as_json:
            emit_json_list(each.to_json() for each in found)
        else:
            show(_lines(found))


def _lines(found: Iterator[VariableValue]) -> Iterator[Line]:
    for each in found:
        step = one_line(step_text(each.set_by), _STEP_CHARACTERS)
        mark, style = _MARKS[each.change]
        yield [
            (mark, style),
            (f" {short_commit(each.set_by.commit.id)}", ID),
            f"  {step}{' ' * (_STEP_CHARACTERS - cells(step))}  ",
            *_value(each),
        ]


def _value(each: VariableValue) -> Iterator[Segment]:
    """Its beginning; of a list or an object how long it is, too, as versions often begin alike."""
    if each.change == "unset":
        return
    room = max(20, width() - _STEP_CHARACTERS - _MARGIN)
    if isinstance(each.value, list | dict):
        size = f"{kind_and_size(each.value)}  "
        room -= len(size)
        yield size, QUIET
    yield preview(each.value, room), QUIET if each.change == "again" else ""
