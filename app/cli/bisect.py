"""``bisect``: where an expression over the variables turns false."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from app.bootstrap import workplace
from app.cli.commit_text import commit_line
from app.cli.exit_codes import COMPLETED, FAILED
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json, json_option, task_argument
from app.cli.screen import BAD, GOOD, NAME, QUIET, WARN, Line, show, width
from app.cli.texts import count, preview
from app.history.commits import one_line
from app.services.bisects import Bisection, VariableTurn, bisect_branch
from app.services.tasks import find_task

_EXPRESSION_CHARACTERS: Final = 200
_REASON_CHARACTERS: Final = 300
_SHORT_CHARACTERS: Final = 40
_MARGIN: Final = 13
"""Columns before what a line says."""


@click.command(
    cls=Command, examples=["3f2a91c4 'len(missing) == 0'", "3f2a91c4 'total < 100' --branch try-2"]
)
@task_argument
@click.argument("expression", metavar="EXPRESSION")
@branch_option
@json_option
def bisect(task: str, expression: str, branch: str | None, as_json: bool) -> None:
    """Find where an expression over the variables turns false: the first such commit.

    The expression is as in a plan, with variables by their bare names. It has to be true at first: at the first
    commit at which all its variables are set and it has a value. Every state after that is looked at, so it may
    be true again later. Exits with 1 where it never turns false.
    """
    with workplace() as place:
        found = bisect_branch(place, find_task(place, task), branch, expression)
    if as_json:
        emit_json(found.to_json())
    else:
        show(_lines(found))
    raise click.exceptions.Exit(COMPLETED if found.first_false is not None else FAILED)


def _lines(found: Bisection) -> Iterator[Line]:
    if found.first_false is None:
        yield [("✓ it never turns false", GOOD), f"  {one_line(found.expression, _EXPRESSION_CHARACTERS)}"]
    else:
        yield [("✗ it turns false", BAD), f"  {one_line(found.expression, _EXPRESSION_CHARACTERS)}"]
        yield _field("at", (commit_line(found.first_false), NAME))
    yield _field("true from", commit_line(found.start))
    yield _field("true until", commit_line(found.last_true))
    for variable in found.variables:
        yield from _variable(variable)
    yield from _notes(found)


def _field(name: str, *parts: str | tuple[str, str]) -> Line:
    return [(f"  {name:<11}", QUIET), *parts]


def _variable(variable: VariableTurn) -> Iterator[Line]:
    """On one line where that is short enough."""
    was, is_now = preview(variable.old, _SHORT_CHARACTERS), preview(variable.new, _SHORT_CHARACTERS)
    if len(was) + len(is_now) < _SHORT_CHARACTERS:
        yield _field("because", f"{variable.name}  {was} → {is_now}")
        return
    room = max(20, width() - _MARGIN)
    yield _field("because", variable.name)
    yield _field("  was", preview(variable.old, room))
    yield _field("  is", preview(variable.new, room))


def _notes(found: Bisection) -> Iterator[Line]:
    if found.first_false is not None and found.at_head is not False:
        what = "true again" if found.at_head else "without a value"
        yield _field("in the end", (what, WARN))
    looked = f"{count(found.evaluated, 'state')} of {count(found.commits, 'commit')} evaluated"
    if found.skipped:
        looked += f", {found.skipped:,} without a value"
    yield _field("looked at", (looked, QUIET))
    if found.reason is not None:
        yield _field("", (one_line(found.reason, _REASON_CHARACTERS), QUIET))
