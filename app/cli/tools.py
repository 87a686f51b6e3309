"""``tool list|show|call``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import click

from app.bootstrap import workplace
from app.cli.exit_codes import COMPLETED, FAILED
from app.cli.groups import Command
from app.cli.options import STDIN, emit_json, json_option, read_input, read_json
from app.cli.progress import watching
from app.cli.running import emit_value
from app.cli.screen import NAME, QUIET, WARN, Line, Segment, table
from app.cli.screen import show as show_lines
from app.cli.streams import note
from app.cli.texts import duration
from app.services.toolcalls import call_document, call_tool, tool_document
from app.tools.base import Tool

_name = click.argument("name", metavar="NAME")
_EFFECT_STYLES: Final = {"write": WARN, "irreversible": "bold red"}


@click.command("list", cls=Command, examples=["", "--json"])
@json_option
def list_all(as_json: bool) -> None:
    """List the tools that plans may call: the built-in ones, those of TOOLS_PATH, installed ones."""
    with workplace(check_schema=False) as place:
        tools = place.load_registry().list()
    if as_json:
        emit_json([tool_document(tool) for tool in tools])
        return
    cells: list[list[Segment]] = [
        [(tool.name, NAME), (tool.effect, _EFFECT_STYLES.get(tool.effect, "")), _summary(tool)]
        for tool in tools
    ]
    show_lines(table(["TOOL", "EFFECT", "DESCRIPTION"], cells))


@click.command(cls=Command, examples=["read_file", "read_file --json"])
@_name
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what a tool does, takes and gives. NAME may be an alias."""
    with workplace(check_schema=False) as place:
        tool = place.load_registry().get(name)
    if as_json:
        emit_json(tool_document(tool))
    else:
        show_lines(_lines(tool))


@click.command(
    cls=Command,
    examples=[
        """read_file '{"path": "README.md"}'""",
        """list_files '{"path": "app", "pattern": "**/*.py"}'""",
    ],
)
@_name
@click.argument("arguments", metavar="JSON", default="{}")
@json_option
def call(name: str, arguments: str, as_json: bool) -> None:
    """Call a tool by hand, outside of any run.

    The arguments are a JSON object, or - to read one from stdin. They are checked as in a run, and so are
    timeout and retries; nothing is recorded.
    """
    hint = """for example '{"path": "README.md"}'"""
    text = read_input(STDIN, "arguments").decode("utf-8", "replace") if arguments == STDIN else arguments
    value = read_json(text, "the argument", hint)
    with workplace(check_schema=False) as place, watching(silent=as_json) as listener:
        tool, outcome = call_tool(place, name, value, listener)
    if as_json:
        emit_json(call_document(tool, outcome))
    elif outcome.error is None:
        emit_value(outcome.value)
    else:
        note(f"error: {tool.name}: {outcome.error.message.removeprefix(f'{tool.name}: ')}")
    raise click.exceptions.Exit(COMPLETED if outcome.error is None else FAILED)


def _lines(tool: Tool) -> Iterator[Line]:
    yield [(tool.name, NAME)]
    for line in tool.description.strip().splitlines():
        yield [f"  {line}".rstrip()]
    if tool.unavailable is not None:
        yield [("unavailable  ", QUIET), (tool.unavailable, WARN)]
    declared = "" if tool.declared else ", as it declares none"
    yield [("effect     ", QUIET), (tool.effect, _EFFECT_STYLES.get(tool.effect, "")), declared]
    yield [("timeout    ", QUIET), duration(tool.timeout) if tool.timeout is not None else "none"]
    if tool.retry is not None:
        yield [
            ("retry      ", QUIET),
            f"{tool.retry.max_attempts} attempts, {tool.retry.backoff:g} s before the second",
        ]
    if tool.aliases:
        yield [("aliases    ", QUIET), ", ".join(tool.aliases)]
    yield [("version    ", QUIET), tool.version]
    yield [("defined    ", QUIET), tool.place]
    yield from _schema_lines("parameters", tool.parameters)
    yield from _schema_lines("result", tool.result)


def _schema_lines(title: str, schema: object) -> Iterator[Line]:
    if schema is None:
        yield [(f"{title:<11}", QUIET), "any JSON"]
        return
    yield [(title, QUIET)]
    for line in json.dumps(schema, ensure_ascii=False, indent=2).splitlines():
        yield [f"  {line}"]


def _summary(tool: Tool) -> str:
    first_line = tool.description.strip().split("\n", 1)[0]
    return first_line if tool.unavailable is None else f"unavailable: {tool.unavailable}"
