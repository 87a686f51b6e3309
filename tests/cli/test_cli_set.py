"""``set``: variables changed at any commit, and the run that goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine, assign, call

from app.cli.exit_codes import COMPLETED, USAGE

STEPS = [assign(n=1, text="a"), call("double", "m", number="${n}"), assign(final_answer="${m} ${text}")]


@pytest.fixture
def task(cli: CommandLine) -> str:
    return str(cli.execute(*STEPS)["task_id"])


def branches(cli: CommandLine, task: str) -> set[str]:
    return {each["branch"] for each in cli.json("branches", task)}


def test_goes_on_from_the_commit_that_was_named(cli: CommandLine, task: str) -> None:
    result = cli.run("set", task, "n=4", "--at", "main~2")
    assert (result.exit_code, result.stdout) == (COMPLETED, "8 a\n")
    assert result.stderr.splitlines()[0].startswith("edit of n as edit-1, behind ")


def test_for_a_script_is_one_document(cli: CommandLine, task: str) -> None:
    report = cli.json("set", task, "n=4", 'text="ü\\u0007"', "--at", "main~2", "--name", "mine")
    assert (report["final_answer"], report["branch"]) == ("8 ü\x07", "mine")
    commits = {entry["commit"]: entry["kind"] for entry in cli.json("log", task)}
    assert (commits[report["fork_point"]], commits[report["edit"]]) == ("step", "edit")
    assert cli.json("replay", task)["identical"]


def test_without_a_run_is_resumed_later_and_asks_only_what_depends_on_it(cli: CommandLine, task: str) -> None:
    document = cli.json("set", task, 'text="b"', "--at", "main~2", "--no-run")
    assert document["variables"] == ["text"]
    assert cli.ok("resume", task) == "2 b\n"
    assert [each["outcome"] for each in cli.json("explain", task)] == ["kept", "reused", "none"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Missing argument"),
        (["n"], "has no ="),
        (["1n=1"], "no name of a variable"),
        (["n=one"], "no JSON"),
        (["n=NaN"], "NaN"),
        (["n=1", "--at", "main~99"], "goes back beyond"),
        (["n=1", "--at", "nix"], "no revision 'nix'"),
        (["n=1", "--at", "main~4"], "before there was a plan"),
        (["n=1", "--name", "main"], "there is a branch 'main'"),
    ],
)
def test_what_is_wrong_is_one_error_and_leaves_nothing(
    cli: CommandLine, task: str, arguments: list[str], expected: str
) -> None:
    result = cli.run("set", task, *arguments)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert expected.lower() in result.stderr.lower()
    assert branches(cli, task) == {"main"} and not Path("notes.txt").exists()
