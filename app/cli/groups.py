"""Commands and groups of this command line: loaded when they are called, and errors end in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from app.cli.errors import errors_end_here
from app.cli.exit_codes import USAGE
from app.cli.streams import stdout_is_ours, use_utf8
from app.cli.troubles import troubles_are_noted

_AS_JSON: Final = f"{__name__}.as_json"
_DEBUG: Final = f"{__name__}.debug"
_SERVER: Final = f"{__name__}.server"


class Entry(NamedTuple):
    """Where a command is (``module:attribute``), and what it does in a line."""

    target: str
    help: str


Sections = Mapping[str, Mapping[str, Entry]]
"""Heading → name → command, in the order of the help page."""


class _Guarded(click.Command):
    """Reports what goes wrong from the reading of the arguments on."""

    context_settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = {**self.context_settings, **kwargs.get("context_settings", {})}
        super().__init__(*args, **kwargs)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        use_utf8()
        # Asked before the arguments are read: an error in them is reported as JSON too.
        own = args[: args.index("--")] if "--" in args else args
        as_json = "--json" in own
        with errors_end_here(as_json=as_json):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[_AS_JSON] = as_json
        return context

    def invoke(self, ctx: click.Context) -> Any:
        with errors_end_here(as_json=ctx.meta[_AS_JSON], debug=ctx.meta.get(_DEBUG, False)):
            return super().invoke(ctx)


class Command(_Guarded):
    """A command. ``examples`` are argument lists for its help page, each as one text.

    ``asks_servers``: it can also be about the tasks of a server.
    """

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), asks_servers: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.asks_servers = asks_servers

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    # Never wrapped: an example is there to be copied.
                    formatter.write(f"{'':{formatter.current_indent}}{ctx.command_path} {example}\n")
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        with stdout_is_ours(), troubles_are_noted():
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if not self.asks_servers and ctx.meta.get(_SERVER):
            # Done here instead, it would be done to other tasks than were meant.
            raise click.UsageError(f"`{self.name}` works on this machine only; --server is not for it", ctx)
        return rest


class LazyGroup(_Guarded, click.Group):
    """A group whose commands are imported when they are called; its help page imports none."""

    def __init__(self, name: str, sections: Sections, *, asks_servers: bool = False, **kwargs: Any) -> None:
        params = [_server_option(), _debug_option()] if asks_servers else [_debug_option()]
        super().__init__(name, params=params, **kwargs)
        self.sections = sections
        self.entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.entries and not name.startswith("-"):
            near = get_close_matches(name, self.entries, n=1)
            suggestion = f"; did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"there is no command {name!r}{suggestion}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(USAGE)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, section in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()])


def given_server() -> str | None:
    """What ``--server`` says; empty: here, whatever the settings say."""
    server: str | None = click.get_current_context().meta.get(_SERVER)
    return server


def _server_option() -> click.Option:
    def note_it(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta[_SERVER] = value

    help_text = "The server whose tasks the command is about; '' is none. Default: STACKVM_SERVER."
    return click.Option(["--server"], metavar="URL", expose_value=False, callback=note_it, help=help_text)


def _debug_option() -> click.Option:
    def note_it(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_DEBUG] = True

    help_text = "Show where an error comes from."
    return click.Option(["--debug"], is_flag=True, expose_value=False, callback=note_it, help=help_text)
