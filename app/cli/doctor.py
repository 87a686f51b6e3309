"""``doctor``: what works here."""

from __future__ import annotations

import click

from app.bootstrap import doctor as examine
from app.cli.exit_codes import COMPLETED, FAILED
from app.cli.groups import Command
from app.cli.options import emit_json, json_option
from app.cli.screen import BAD, GOOD, NAME, Line, show
from app.services.doctor import Check


@click.command(cls=Command, examples=["", "--json"])
@json_option
def doctor(as_json: bool) -> None:
    """See what works here, and what to do about the rest.

    Looks at the settings, the folders, the database, its migrations, the tools and the models: whether their
    servers answer, take the key and have them. That asks for lists of models alone and costs nothing. Exits with 1
    where something is wrong; to have no model is not.
    """
    checks = examine()
    if as_json:
        emit_json([check.to_json() for check in checks])
    else:
        wide = max(len(check.name) for check in checks)
        show(line for check in checks for line in _lines(check, wide))
    raise click.exceptions.Exit(COMPLETED if all(check.ok for check in checks) else FAILED)


def _lines(check: Check, wide: int) -> list[Line]:
    mark = ("✓", GOOD) if check.ok else ("✗", BAD)
    lines: list[Line] = [[mark, (f" {check.name:<{wide}}  ", NAME), check.detail]]
    if check.advice is not None:
        lines.append([f"  {'':<{wide}}  {check.advice}"])
    return lines
