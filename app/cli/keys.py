"""``key``: who may ask a server."""

from __future__ import annotations

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import emit_json, json_option
from app.cli.screen import ID, NAME, QUIET, WARN, Segment, show, table
from app.cli.streams import note
from app.cli.texts import moment
from app.db.serving import KeyRow
from app.services.access import ROLES
from app.services.keys import create_key, key_document, list_keys, revoke_key


@click.command(
    cls=Command, examples=["ann --role operator", "dashboard --role viewer --namespace billing --days 90"]
)
@click.argument("name", metavar="NAME")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="viewer looks; operator also submits, steers and revises; admin also has namespaces and keys.",
)
@click.option("--namespace", metavar="NAME", help="The only one whose tasks it is for; default: all.")
@click.option("--days", type=click.IntRange(min=1, max=36_500), metavar="N", help="Valid for so long.")
@json_option
def create(name: str, role: str, namespace: str | None, days: int | None, as_json: bool) -> None:
    """Make a key, and show it this once.

    What is stored is a hash. A client sends it as `Authorization: Bearer KEY`, git as the password. From the first
    key on, a server answers nobody without one.
    """
    with workplace() as place:
        made = create_key(place, name, role, namespace, days)
    if as_json:
        emit_json({**key_document(made.row), "key": made.secret})
        return
    note(f"key {made.row.id} of {made.row.name}, {made.row.role}; it is shown this once:")
    show([[made.secret]])


@click.command("list", cls=Command)
@json_option
def list_all(as_json: bool) -> None:
    """List the keys, revoked ones too."""
    with workplace() as place:
        rows = list_keys(place)
    if as_json:
        emit_json([key_document(row) for row in rows])
    elif rows:
        show(table(["KEY", "NAME", "ROLE", "NAMESPACE", "CREATED", ""], [_cells(row) for row in rows]))
    else:
        note("no keys: a server answers its own machine alone")


@click.command(cls=Command, examples=["3f2a91c4b7d0"])
@click.argument("key", metavar="KEY")
@json_option
def revoke(key: str, as_json: bool) -> None:
    """End a key; KEY is its id, as `key list` has it."""
    with workplace() as place:
        row = revoke_key(place, key)
    if as_json:
        emit_json(key_document(row))
    else:
        show([["revoked ", (row.id, ID), " of ", (row.name, NAME)]])


def _cells(row: KeyRow) -> list[Segment]:
    state: Segment = ("", QUIET)
    if row.revoked_ms is not None:
        state = ("revoked", WARN)
    elif row.expires_ms is not None:
        state = (f"until {moment(row.expires_ms)}", QUIET)
    return [(row.id, ID), row.name, row.role, row.namespace or "", (moment(row.created_ms), QUIET), state]
