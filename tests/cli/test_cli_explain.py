"""``explain``: why each step ran, or was reused, for a person and for a script."""

from __future__ import annotations

import pytest
from command_line import CommandLine, assign, call, error_lines

from app.cli.exit_codes import USAGE

STEPS = [
    call("double", "a", number=1),
    call("double", "b", number=2),
    call("note", "lines", text="once"),
    call("double", "c", number=3),
    assign(final_answer="${a} ${b} ${c}"),
]


@pytest.fixture
def task(cli: CommandLine) -> str:
    task = str(cli.execute(*STEPS)["task_id"])
    cli.ok("revise", task, "--step", "2", "--set", "parameters.tool_params.number=5", "--yes")
    return task


def test_a_line_a_step_and_below_it_what_differed(cli: CommandLine, task: str) -> None:
    lines = cli.ok("explain", task).splitlines()
    assert lines[0].startswith("revision-1  forked from main behind ")
    assert lines[1:6] == [
        "· 1 double  kept",
        "> 2 double  ran",
        "      inputs.number: 2 -> 5",
        "> 3 note  ran",
        "      effect: write calls are made again",
    ]
    assert lines[6].startswith("= 4 double  reused from ")
    assert lines[7:] == ["  5  no effect"]


def test_for_a_script_an_object_a_step(cli: CommandLine, task: str) -> None:
    steps = cli.json("explain", task)
    assert [(each["seq_no"], each["outcome"]) for each in steps] == [
        (1, "kept"),
        (2, "ran"),
        (3, "ran"),
        (4, "reused"),
        (5, "none"),
    ]
    main = {entry["seq_no"]: entry["commit"] for entry in cli.json("log", task, "--branch", "main")}
    assert steps[3]["from_commit"] == main[4] and steps[3]["changed"] == []
    assert steps[1]["changed"] == [{"part": "inputs.number", "old": 2, "new": 5}]


def test_one_step_of_a_branch(cli: CommandLine, task: str) -> None:
    (step,) = cli.json("explain", task, "--branch", "main", "--step", "2")
    assert (step["outcome"], step["changed"]) == ("ran", [])
    assert cli.ok("explain", task, "--branch", "main").splitlines()[0].endswith("every step ran")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--step", "99"], "error: no executed step '99'"),
        (["--branch", "nix"], "error: no branch 'nix'"),
    ],
)
def test_what_is_not_there_is_named(cli: CommandLine, task: str, arguments: list[str], expected: str) -> None:
    result = cli.run("explain", task, *arguments)
    assert (result.exit_code, error_lines(result)[0]) == (USAGE, expected)


def test_long_and_hostile_values_stay_a_line(cli: CommandLine) -> None:
    steps = [call("note", "n", text="x" * 5_000), assign(final_answer=1)]
    read = [call("read_file", "f", path="poem.txt"), *steps]
    task = str(cli.execute(*read)["task_id"])
    (cli.folder / "a\x1b[31mb").write_text("odd")
    cli.run("revise", task, "--step", "1", "--set", r'parameters.tool_params.path="a\u001b[31mb"', "--yes")
    text = cli.ok("explain", task)
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 160
