"""``branches``, ``fork``, ``delete-branch``, ``delete``, ``clone``, ``replay``."""

from __future__ import annotations

import subprocess

import pytest
from command_line import CommandLine, assign, call


@pytest.fixture(params=["sql", "git"])
def task(cli: CommandLine, request: pytest.FixtureRequest) -> str:
    report = cli.execute(
        assign(a=1), call("double", "b", number="${a}"), assign(final_answer="${b}"),
        options=["--history", request.param],
    )  # fmt: skip
    return str(report["task_id"])


def test_a_fork_is_a_branch_that_can_be_run(cli: CommandLine, task: str) -> None:
    forked = cli.json("fork", task, "--at", "main~2", "--name", "again")
    assert forked["branch"] == "again"
    assert forked["task_id"] == task
    assert forked["status"] == "paused"
    report = cli.json("resume", task, "--branch", "again")
    assert (report["status"], report["final_answer"], report["branch"]) == ("completed", 2, "again")
    listed = {each["branch"]: each for each in cli.json("branches", task)}
    assert set(listed) == {"again", "main"}
    assert listed["again"]["current"]
    again, main = (cli.json("log", task, "--branch", each, "--records") for each in ("again", "main"))
    # The call was not made again: its result is that of the other branch, which says so.
    assert [entry["record"].get("from_commit") for entry in again[:2]] == [None, main[1]["commit"]]


def test_fork_says_how_to_go_on(cli: CommandLine, task: str) -> None:
    text = cli.ok("fork", task, "--at", "main~1", "--name", "again")
    assert "branch again at" in text
    assert f"stackvm resume {task[:8]} --branch again" in text


def test_branches_are_listed_with_the_current_one_marked(cli: CommandLine, task: str) -> None:
    cli.ok("fork", task, "--at", "main~1", "--name", "other")
    header, first, second = cli.ok("branches", task).splitlines()
    assert header.split() == ["BRANCH", "STATUS", "STEPS", "COMMIT", "LAST"]
    assert first.startswith("* main   completed")
    assert second.startswith("  other  paused")


def test_a_deleted_branch_can_be_brought_back(cli: CommandLine, task: str) -> None:
    cli.ok("fork", task, "--at", "main~1", "--name", "other")
    commit = cli.json("delete-branch", task, "other")["commit"]
    assert [each["branch"] for each in cli.json("branches", task)] == ["main"]
    assert cli.json("fork", task, "--at", commit, "--name", "back")["commit"] == commit


def test_the_only_branch_stays(cli: CommandLine, task: str) -> None:
    result = cli.run("delete-branch", task, "main")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "error: 'main' is the only branch of the task"


def test_a_script_deletes_a_task_without_being_asked(cli: CommandLine, task: str) -> None:
    assert cli.json("delete", task).items() >= {"task_id": task, "deleted": True}.items()
    assert cli.json("tasks") == []
    assert cli.run("show", task).exit_code == 2
    assert not list((cli.folder / "var").glob("repositories/*"))


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 5, 1), ("", 5, 1)])
def test_a_person_is_asked(
    cli: CommandLine, task: str, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    monkeypatch.setattr("app.cli.tasks.is_terminal", lambda stream: True)
    result = cli.run("delete", task[:8], stdin=answer)
    assert result.exit_code == code
    assert f"delete {task[:8]} (test)" in result.stderr
    assert len(cli.json("tasks")) == left


def test_a_clone_is_a_repository_of_git(cli: CommandLine, task: str) -> None:
    cli.ok("fork", task, "--at", "main~1", "--name", "other")
    document = cli.json("clone", task, "copy")
    git = ["git", "-C", str(cli.folder / "copy")]
    log = subprocess.run(
        [*git, "log", "--format=%H"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert log[0] == document["commit"]
    assert log == [entry["commit"] for entry in cli.json("log", task)]
    subprocess.run([*git, "fsck", "--strict"], check=True, capture_output=True)
    assert (cli.folder / "copy" / "vars" / "final_answer.json").read_text() == "2\n"


def test_a_clone_goes_into_no_folder_that_holds_something(cli: CommandLine, task: str) -> None:
    result = cli.run("clone", task, "tools")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "tools" in result.stderr


def test_a_replay_reaches_the_same_ids(cli: CommandLine, task: str) -> None:
    document = cli.json("replay", task)
    assert document["identical"] is True
    assert document["commits"] == 5
    assert document["divergence"] is None
    assert document["head"] == cli.json("show", task)["commit"]
    assert cli.ok("replay", task).startswith("✓ identical  main at ")


def test_a_replay_that_differs_is_a_failure(
    cli: CommandLine, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if another version of the interpreter called its steps by other names.
    monkeypatch.setattr("app.vm.scribe.step_subject", lambda seq_no, transition: "another subject")
    document = cli.json("replay", task, code=1)
    assert document["identical"] is False
    assert document["commits"] == 2
    assert document["divergence"]["subject"] == "step 1: assign -> a"
    result = cli.run("replay", task)
    assert result.exit_code == 1
    assert result.stdout.startswith("✗ differs  main at commit ")
