"""What several commands have in common: arguments, options, and reading what they name."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TypeVar

import click

from app.cli.groups import given_server
from app.cli.streams import emit, emit_lines, is_terminal, note
from app.errors import InputError
from app.plan.model import Json

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

STDIN: Final = "-"
MAX_INPUT_BYTES: Final = 64 * 1024 * 1024
_SPOOL_BYTES: Final = 16 * 1024 * 1024

task_argument = click.argument("task", metavar="TASK")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else."
)
branch_option = click.option(
    "--branch", metavar="BRANCH", help="Default: the task's current branch, that of its latest run."
)
namespace_option = click.option(
    "--namespace-name",
    "namespace",
    metavar="NAME",
    help="The namespace whose tools may be called; default: all tools.",
)
goal_option = click.option("--goal", required=True, metavar="TEXT", help="What you want, in your own words.")
history_option = click.option(
    "--history",
    type=click.Choice(["sql", "git"]),
    help="Keep the history in the database or in a git repository on disk; default: HISTORY_BACKEND.",
)
limit_type = click.IntRange(min=1, max=1_000_000_000)
max_steps_option = click.option(
    "--max-steps", type=click.IntRange(min=1), metavar="N", help="How many steps the run may execute."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")


def _read_response_format(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> dict[str, Json] | None:
    if text is None:
        return None
    hint = """for example '{"lang": "French"}'"""
    value = read_json(text, "--response-format", hint)
    if not isinstance(value, dict):
        raise InputError("--response-format is no JSON object", hint=hint)
    return value


response_format_option = click.option(
    "--response-format",
    metavar="JSON",
    callback=_read_response_format,
    help="What the answer should look like, a JSON object; the planner is told, and the goal keeps it.",
)


def emit_json(document: Json) -> None:
    """The one JSON document of a command."""
    emit(json.dumps(document, ensure_ascii=False, indent=2))


def emit_json_list(documents: Iterable[Json]) -> None:
    """A list as the one document, with one of its items in memory at a time. An error leaves nothing written."""
    with SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="utf-8", newline="\n") as written:
        between = "[\n  "
        for document in documents:
            written.write(between)
            written.write(json.dumps(document, ensure_ascii=False, indent=2).replace("\n", "\n  "))
            between = ",\n  "
        written.write("[]" if between[0] == "[" else "\n]")
        written.seek(0)
        emit_lines(line.removesuffix("\n") for line in written)


def read_json(text: str, what: str, hint: str) -> Json:
    """The value of a JSON argument. Raises ``InputError`` with the place of the fault."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        detail = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{what} is no JSON: {detail}", hint=hint) from None


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is no number of JSON")


def read_input(path: str, what: str) -> bytes:
    """What a file holds, or stdin for ``-``. Raises ``InputError`` for what can't be read."""
    try:
        if path == STDIN:
            if is_terminal(sys.stdin):
                note(f"reading the {what} from the terminal; Ctrl-D ends it")
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except FileNotFoundError:
        raise InputError(
            f"there is no file {path!r}", hint=f"name the file of the {what}, or - for stdin"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{what} {path!r} can't be read: {reason}") from None
    if len(data) > MAX_INPUT_BYTES:
        raise InputError(f"{what} {path!r} is larger than {MAX_INPUT_BYTES:,} bytes")
    return data


def command_line(*words: str) -> str:
    """A command as it has to be typed here: after ``stackvm``, or after ``flask stackvm``."""
    root = click.get_current_context().find_root()
    program = "stackvm" if root.info_name in (None, "stackvm") else f"{root.info_name} stackvm"
    server = given_server()
    option = [] if server is None else ["--server", shlex.quote(server)]
    return " ".join([program, *option, *words])
