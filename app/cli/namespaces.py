"""``namespace create|update|delete|list|show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from app.bootstrap import workplace
from app.cli.groups import Command
from app.cli.options import emit_json, json_option
from app.cli.screen import NAME, QUIET, Line, Segment, table
from app.cli.screen import show as show_lines
from app.cli.streams import note
from app.db.base import NamespaceRow
from app.services.namespaces import (
    create_namespace,
    namespace_document,
    unmatched_tools,
    update_namespace,
)
from app.services.workplace import Workplace
from app.vm.reuse import POLICIES

_name = click.argument("name", metavar="NAME")
_allowed = click.option(
    "--allowed-tools",
    "allowed_tools",
    multiple=True,
    metavar="TOOL",
    help="A tool's name or a glob such as 'read_*'; give it once for each.",
)
_description = click.option("--description", metavar="TEXT", help="What the namespace is for.")

_irreversible = click.option(
    "--irreversible",
    type=click.Choice(list(POLICIES)),
    help="After a fork: what to do with irreversible calls of tools that were called beyond the fork point.",
)


@click.command(
    cls=Command,
    examples=["docs --allowed-tools 'read_*' --allowed-tools list_files --description 'Reads, never writes'"],
)
@_name
@_allowed
@_description
@_irreversible
@json_option
def create(
    name: str,
    allowed_tools: tuple[str, ...],
    description: str | None,
    irreversible: str | None,
    as_json: bool,
) -> None:
    """Make a namespace. A task in it can call the tools it allows, and no others."""
    if not allowed_tools:
        raise click.UsageError(
            "give --allowed-tools at least once; '*' allows all", click.get_current_context()
        )
    with workplace() as place:
        row = create_namespace(place, name, allowed_tools, description or "", _policies(irreversible))
        _answer(place, row, "created", as_json)


@click.command(cls=Command, examples=["docs --allowed-tools '*'", "docs --description 'Everything'"])
@_name
@_allowed
@_description
@_irreversible
@json_option
def update(
    name: str,
    allowed_tools: tuple[str, ...],
    description: str | None,
    irreversible: str | None,
    as_json: bool,
) -> None:
    """Change what a namespace allows, or its description.

    --allowed-tools replaces the whole list; what is not given stays.
    """
    if not allowed_tools and description is None and irreversible is None:
        raise click.UsageError(
            "give --allowed-tools, --description or --irreversible", click.get_current_context()
        )
    with workplace() as place:
        row = update_namespace(place, name, allowed_tools or None, description, _policies(irreversible))
        _answer(place, row, "updated", as_json)


@click.command(cls=Command, examples=["docs"])
@_name
@json_option
def delete(name: str, as_json: bool) -> None:
    """Remove a namespace. Its tasks stay; they can't be run until there is one of that name again."""
    with workplace() as place:
        place.namespaces.delete(name)
    if as_json:
        emit_json({"namespace": name, "deleted": True})
    else:
        show_lines([["deleted namespace ", (name, NAME)]])


@click.command("list", cls=Command, examples=["", "--json"])
@json_option
def list_all(as_json: bool) -> None:
    """List the namespaces."""
    with workplace() as place:
        rows = place.namespaces.list()
    if as_json:
        emit_json([namespace_document(row) for row in rows])
    elif rows:
        cells: list[list[Segment]] = [
            [(row.name, NAME), ", ".join(row.allowed_tools), row.description] for row in rows
        ]
        show_lines(table(["NAMESPACE", "ALLOWED TOOLS", "DESCRIPTION"], cells))
    else:
        note("no namespaces: every task may call all tools")


@click.command(cls=Command, examples=["docs"])
@_name
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a namespace and the tools it allows."""
    with workplace() as place:
        row = place.namespaces.get(name)
        tools = [tool.name for tool in place.catalog(name).list()]
    if as_json:
        emit_json({**namespace_document(row), "tools": tools})
    else:
        show_lines(_lines(row, tools))


def _policies(irreversible: str | None) -> dict[str, str]:
    return {} if irreversible is None else {"irreversible": irreversible}


def _answer(place: Workplace, row: NamespaceRow, done: str, as_json: bool) -> None:
    if as_json:
        emit_json(namespace_document(row))
        return
    show_lines([[f"{done} namespace ", (row.name, NAME), f": {', '.join(row.allowed_tools)}"]])
    for entry in unmatched_tools(place, row):
        note(f"warning: there is no tool {entry!r} here")


def _lines(row: NamespaceRow, tools: Sequence[str]) -> Iterator[Line]:
    yield [("namespace    ", QUIET), (row.name, NAME)]
    if row.description:
        yield [("description  ", QUIET), row.description]
    yield [("allows       ", QUIET), ", ".join(row.allowed_tools)]
    if "irreversible" in row.policies:
        policy = row.policies["irreversible"]
        yield [("irreversible ", QUIET), policy, (f"  after a fork: {POLICIES.get(policy, '')}", QUIET)]
    yield [("these tools  ", QUIET), ", ".join(tools) or "none that is here"]
