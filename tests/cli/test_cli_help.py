"""Help pages: instant, complete, and true."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from command_line import PROJECT

from app.cli import namespace, stackvm, tool
from app.cli.exit_codes import MEANINGS
from app.cli.groups import Command, LazyGroup

HEAVY = [
    "sqlalchemy",
    "pydantic",
    "rich",
    "jsonschema",
    "dulwich",
    "flask",
    "orjson",
    "app.db",
    "app.services",
]
GROUPS = [stackvm, namespace, tool]


def commands() -> Iterator[tuple[LazyGroup, str]]:
    for group in GROUPS:
        yield from ((group, name) for name in group.entries)


def load(group: LazyGroup, name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


every_command = pytest.mark.parametrize(
    ("group", "name"), list(commands()), ids=lambda part: str(getattr(part, "name", part))
)


@every_command
def test_the_table_says_what_the_command_says(group: LazyGroup, name: str) -> None:
    command = load(group, name)
    assert command.name == name
    if isinstance(command, Command):
        assert (
            (command.help or "").split("\n\n")[0].replace("\n", " ").startswith(group.entries[name].help[:-1])
        )


@every_command
def test_a_help_page_has_an_example_that_can_be_typed(group: LazyGroup, name: str) -> None:
    command = load(group, name)
    if not isinstance(command, Command):
        return
    page = CliRunner().invoke(group, [name, "--help"], prog_name="stackvm")
    assert page.exit_code == 0
    assert command.examples
    for example in command.examples:
        assert f"stackvm {name} {example}".rstrip() in page.output
        words = shlex.split(example)
        ends = [words.index(mark) for mark in ("|", "<") if mark in words]
        command.make_context(name, words[: min(ends, default=len(words))]).close()


@every_command
def test_everything_takes_json(group: LazyGroup, name: str) -> None:
    command = load(group, name)
    if isinstance(command, Command):
        assert "--json" in [option for param in command.params for option in param.opts]


def test_every_option_says_what_it_does() -> None:
    for group, name in commands():
        for param in load(group, name).params:
            if isinstance(param, click.Option):
                assert param.help, f"{name} {param.name}"


def test_the_help_page_names_all_exit_codes() -> None:
    page = " ".join(CliRunner().invoke(stackvm, ["--help"]).output.split())
    for code, meaning in MEANINGS.items():
        assert f"{code} {meaning}" in page


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from app.cli import stackvm; stackvm.main(['--help'], standalone_mode=False);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_help_is_quick() -> None:
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "--help"],
        cwd=PROJECT, capture_output=True, check=True,
    )  # fmt: skip
    assert time.monotonic() - started < 1.5  # 0.1 s, but the machine may be busy


def test_without_a_command_the_help_page_is_wrong_usage() -> None:
    result = CliRunner().invoke(stackvm, [])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr


def test_the_version_is_shown() -> None:
    assert CliRunner().invoke(stackvm, ["--version"]).output.startswith("stackvm 0.")


def test_flask_finds_the_commands_without_being_told_where() -> None:
    flask = [sys.executable, "-m", "flask"]
    for words, expected in (
        (["stackvm", "--help"], "execute"),
        (["namespace", "--help"], "create"),
        (["tool", "--help"], "call"),
    ):
        done = subprocess.run([*flask, *words], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert expected in done.stdout
