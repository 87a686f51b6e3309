"""``fsck``, ``gc`` and ``delete``: what they say, and with which exit code they end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from command_line import CommandLine, assign, call, error_lines


@pytest.fixture(params=["sql", "git"])
def task(cli: CommandLine, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HISTORY_BACKEND", request.param)
    report = cli.execute(assign(rows=["row"] * 50), call("note", "final_answer", text="kept"))
    return str(report["task_id"])


def test_fsck_is_clean_where_nothing_is_wrong(cli: CommandLine, task: str) -> None:
    assert cli.ok("fsck") == "✓ clean  1 task\n"
    assert cli.ok("fsck", task[:8]) == "✓ clean  1 task\n"
    assert cli.json("fsck") == {"clean": True, "tasks": 1, "findings": []}


def test_fsck_names_what_is_damaged_and_ends_with_1(cli: CommandLine, task: str) -> None:
    with sqlite3.connect(cli.database) as connection:
        connection.execute("UPDATE attempts SET inputs_hash = 'other'")
        connection.execute("UPDATE tasks SET goal = CAST(x'ff' AS TEXT)")
    connection.close()
    result = cli.run("fsck", task[:8])
    assert result.exit_code == 1
    assert "attempt" in result.stdout and "its checksum is another" in result.stdout
    assert "the task's row goal is no text" in result.stdout
    assert result.stdout.splitlines()[-1] == "✗ damaged  2 findings in 1 task"
    document = cli.json("fsck", code=1)
    assert not document["clean"]
    assert {finding["kind"] for finding in document["findings"]} == {"damage"}
    for command in (["replay", task], ["show", task], ["tasks"]):
        assert error_lines(cli.run(*command))[0].startswith("error: ")


def test_fsck_of_no_task_is_one_error(cli: CommandLine) -> None:
    assert error_lines(cli.run("fsck", "absent"))[0] == "error: no task 'absent'"
    assert cli.run("gc", "absent").exit_code == 2


def test_gc_says_what_it_freed(cli: CommandLine, task: str) -> None:
    cli.ok("set", task, "rows=[1, 2, 3]", "--name", "other")
    cli.ok("delete-branch", task, "other")
    planned = cli.json("gc", "--dry-run")
    done = cli.json("gc")
    assert planned["objects"] == done["objects"] > 0
    assert done["bytes"] > 0 and done["tasks"] == [] and done["skipped"] == []
    assert cli.ok("gc") == "✓ freed 0 B  0 tasks, 0 branches, 0 objects\n"
    assert cli.ok("fsck").startswith("✓ clean")
    assert cli.ok("replay", task).startswith("✓ identical")


def test_gc_deletes_old_tasks_by_option_or_setting(
    cli: CommandLine, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.json("gc", "--older-than", "1d")["tasks"] == []
    assert "would delete task " + task in cli.ok("gc", "--older-than", "0s", "--dry-run")
    monkeypatch.setenv("RETENTION_DAYS", "0")
    assert cli.json("gc")["tasks"] == [task]
    assert cli.json("tasks") == []


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1y", "1.5d", ""])
def test_an_age_that_is_none_is_one_error(cli: CommandLine, age: str) -> None:
    result = cli.run("gc", f"--older-than={age}")
    assert result.exit_code == 2 and "for example 30d" in result.stderr


def test_gc_during_a_run_leaves_it_alone(cli: CommandLine) -> None:
    running = cli.start("execute", "--goal", "wait", "--plan", cli.plan(call("gate", "final_answer")))
    try:
        while not (found := cli.json("tasks")) or found[0]["status"] != "running":
            pass
        skipped = cli.json("gc", "--older-than", "0s")["skipped"]
        assert [each["task_id"] for each in skipped] == [found[0]["task_id"]]
        assert "is being run by" in skipped[0]["reason"]
        assert cli.json("gc", skipped[0]["task_id"], code=1)["skipped"] == skipped
        refused = cli.run("delete", found[0]["task_id"], "--yes")
        assert refused.exit_code == 2 and "is being run by" in refused.stderr
    finally:
        Path("open").touch()
        out, _ = running.communicate(timeout=30)
    assert running.returncode == 0 and b"passed" in out
    assert cli.ok("fsck").startswith("✓ clean")


def test_delete_says_how_much_it_freed(cli: CommandLine, task: str) -> None:
    assert "freed" in cli.ok("delete", task)
    assert cli.json("fsck") == {"clean": True, "tasks": 0, "findings": []}
