"""The page ``docs/commands.md``, made from the commands' own help: ``python -m app.cli.reference``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from app.cli import stackvm
from app.cli.exit_codes import MEANINGS

PAGE: Final = Path("docs/commands.md")

_HEAD: Final = """# Commands

Made from `--help` by `make docs`. Each is also there as `flask stackvm …`, `flask namespace …`, `flask tool …` from
the project's folder. TASK is a task's id or the beginning of one; REV is a branch, a commit's id or the beginning of
one, or either followed by `~N`.

| exit code | meaning |
|---|---|
"""


def commands_page() -> str:
    """The whole page, as it should be in ``docs/``."""
    parts = [_HEAD, *(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())]
    for name, command in _commands(click.Context(stackvm, info_name="stackvm"), stackvm):
        parts.append(f"\n## `{name}`\n\n```text\n{_help(name, command)}\n```\n")
    return "".join(parts)


def _commands(context: click.Context, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        path = f"{context.command_path} {name}"
        if isinstance(command, click.Group):
            yield from _commands(click.Context(command, info_name=path), command)
        else:
            yield path, command


def _help(name: str, command: click.Command) -> str:
    # The width is fixed: the page must not depend on the terminal it was made in.
    context = click.Context(command, info_name=name, terminal_width=100, **command.context_settings)
    return command.get_help(context).rstrip()


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")
