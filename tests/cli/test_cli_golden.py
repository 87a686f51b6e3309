"""``golden``: runs that are stored, and run again with today's tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import TOOLS, CommandLine, assign, call

from app.cli.exit_codes import COMPLETED, FAILED, USAGE, WAITING

STEPS = [
    call("double", "n", number=2),
    call("note", "lines", text="once"),
    assign(final_answer="${n}"),
]


@pytest.fixture
def task(cli: CommandLine) -> str:
    return str(cli.execute(*STEPS)["task_id"])


def change_tools(cli: CommandLine, old: str, new: str) -> None:
    assert old in TOOLS
    (cli.folder / "tools" / "demo.py").write_text(TOOLS.replace(old, new))


def test_is_recorded_listed_and_the_same(cli: CommandLine, task: str) -> None:
    assert cli.ok("golden", "record", task, "one").startswith("✓ recorded  one in ")
    assert cli.json("golden", "list") == ["one"] and cli.ok("golden", "list") == "one\n"
    assert cli.ok("golden", "check").splitlines() == ["✓ one", "1 same"]
    (result,) = cli.json("golden", "check", "one")
    assert (result["verdict"], result["calls_made"], result["comparison"]) == ("same", 0, None)
    assert Path("notes.txt").read_text() == "once\n"


def test_needs_no_database(cli: CommandLine, task: str) -> None:
    cli.ok("golden", "record", task, "one")
    cli.database.unlink()
    assert cli.ok("golden", "check").splitlines()[-1] == "1 same"


def test_a_tool_that_answers_otherwise_shows_and_nothing_is_written(cli: CommandLine, task: str) -> None:
    cli.ok("golden", "record", task, "one")
    change_tools(cli, "return 2 * number", "return 3 * number")
    (result,) = cli.json("golden", "check", code=FAILED)
    assert (result["verdict"], result["calls_made"]) == ("different", 1)
    shown = cli.run("golden", "check")
    assert shown.exit_code == FAILED
    assert shown.stdout.startswith("✗ one  1 call made\n") and shown.stdout.endswith("1 different\n")
    assert Path("notes.txt").read_text() == "once\n"


def test_a_tool_that_is_gone_is_one_clear_error(cli: CommandLine, task: str) -> None:
    cli.ok("golden", "record", task, "one")
    change_tools(cli, "def note(", "def memo(")
    shown = cli.run("golden", "check")
    assert shown.exit_code == FAILED
    assert "! one" in shown.stdout and "no tool 'note'" in shown.stdout and "1 error" in shown.stdout


def test_a_name_that_is_taken_needs_a_word(cli: CommandLine, task: str) -> None:
    cli.ok("golden", "record", task, "one")
    assert cli.run("golden", "record", task, "one").exit_code == USAGE
    assert cli.run("golden", "record", task, "one", "--replace").exit_code == COMPLETED


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["record", "TASK", "../x"], "no name for a golden run"),
        (["record", "TASK", "x", "--branch", "nix"], "no branch 'nix'"),
        (["check"], "`golden record TASK NAME` stores one"),
        (["check", "nix"], "no golden run 'nix'"),
    ],
)
def test_what_is_wrong_is_one_error(cli: CommandLine, task: str, arguments: list[str], expected: str) -> None:
    result = cli.run("golden", *[task if each == "TASK" else each for each in arguments])
    assert result.exit_code == USAGE and expected in result.stderr
    assert not Path("golden").exists()


def test_a_run_that_waits_is_none(cli: CommandLine) -> None:
    Path("broken").touch()
    task = cli.execute(call("send", "s", to="ann"), assign(final_answer="${s}"), code=WAITING)["task_id"]
    result = cli.run("golden", "record", task, "one")
    assert result.exit_code == USAGE and "has not ended" in result.stderr
