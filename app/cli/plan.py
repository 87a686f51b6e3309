"""``plan``: have a model write a plan, and look at it without running it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import (
    emit_json,
    goal_option,
    json_option,
    namespace_option,
    quiet_option,
    response_format_option,
)
from app.cli.progress import watching
from app.cli.streams import note
from app.errors import InputError
from app.plan.model import Json
from app.planner.records import plan_record
from app.services.planning import plan_goal
from app.vm.interrupts import Interrupts


@click.command(
    cls=Command,
    examples=[
        '--goal "Which modules are the longest?" --out plan.json',
        """--goal "Count the lines of each file" --response-format '{"lines": "by name"}'""",
    ],
)
@goal_option
@namespace_option
@response_format_option
@click.option("--out", metavar="FILE", help="Write the plan to FILE instead of stdout.")
@json_option
@quiet_option
def plan(
    goal: str,
    namespace: str | None,
    response_format: dict[str, Json] | None,
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Have a model write a plan, and look at it.

    The plan is checked; findings go back to the model for up to three rounds. Nothing is run, nothing is kept.

    The plan goes to stdout as JSON, ready for `execute --plan` and `verify`; how it came about goes to stderr.
    """
    silent = as_json or quiet
    with (
        workplace(check_schema=namespace is not None) as place,
        Interrupts().from_signals() as interrupts,
        watching(silent=silent) as listener,
        interrupts.awaiting(),
    ):
        planned = plan_goal(place, goal, namespace, response_format, listener)
    document = planned.plan.to_json()
    if out is not None:
        _write(Path(out), json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        if not silent:
            note(f"wrote {out}")
    if as_json:
        emit_json({"plan": document, **plan_record(planned)})
    elif out is None:
        emit_json(document)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}", hint="choose another --out") from None
