"""``blame``: which commit last set each variable."""

from __future__ import annotations

from collections.abc import Iterator

import click

from app.bootstrap import workplace
from app.cli.commit_text import origin_text, step_text
from app.cli.groups import Command
from app.cli.options import branch_option, emit_json, json_option, task_argument
from app.cli.screen import ID, NAME, QUIET, Line, Segment, show, table
from app.cli.texts import preview, short_commit
from app.history.commits import one_line
from app.services.blame import Blame, VariableBlame, blame_variables
from app.services.tasks import find_task

_NAME_CHARACTERS = 24
_STEP_CHARACTERS = 24
_VALUE_CHARACTERS = 100


@click.command(cls=Command, examples=["3f2a91c4", "3f2a91c4 final_answer", "3f2a91c4 --branch try-2"])
@task_argument
@click.argument("variable", metavar="[VAR]", required=False)
@branch_option
@json_option
def blame(task: str, variable: str | None, branch: str | None, as_json: bool) -> None:
    """Show which commit last set each variable, and where its value came from.

    A commit sets what its step sets, also where the value was the same before. A value is from the plan (an
    assign), a tool, a model (a call that asked one), an error (a call failed and the plan goes on), a person (who
    decided what a call gave), or an edit.
    """
    with workplace() as place:
        found = blame_variables(place, find_task(place, task), branch, variable)
    if as_json:
        emit_json(found.to_json())
    else:
        show(_lines(found))


def _lines(found: Blame) -> Iterator[Line]:
    if not found.variables:
        commit = found.commit
        yield ["no variable is set at ", (short_commit(commit.id), ID), f"  {one_line(commit.subject, 100)}"]
        return
    yield from table(
        ["VARIABLE", "COMMIT", "STEP", "FROM", "VALUE"], [_cells(each) for each in found.variables]
    )


def _cells(blamed: VariableBlame) -> list[Segment]:
    return [
        (one_line(blamed.name, _NAME_CHARACTERS), NAME),
        (short_commit(blamed.last_set.commit.id), ID),
        one_line(step_text(blamed.last_set), _STEP_CHARACTERS),
        (origin_text(blamed.origin), QUIET),
        preview(blamed.value, _VALUE_CHARACTERS),
    ]
