"""``resume`` and ``decide``: going on, and the word of a person where nobody knows what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, assign, call

from app.bootstrap import workplace


@pytest.fixture
def waiting(cli: CommandLine) -> dict[str, Any]:
    """The report of a run that waits: an irreversible call raised."""
    Path("broken").touch()
    return cli.execute(call("send", "sent", to="ann"), assign(final_answer="${sent}"), code=3)


def test_a_waiting_run_says_what_for(waiting: dict[str, Any]) -> None:
    assert waiting["status"] == "waiting"
    asked = waiting["waiting"]
    assert (asked["step"], asked["tool"], asked["inputs"]) == (1, "send", {"to": "ann"})
    assert len(asked["idempotency_key"]) == 64
    assert [each["choice"] for each in asked["choices"]] == ["run", "skip", "fail"]


def test_a_person_sees_the_command_of_each_choice(cli: CommandLine) -> None:
    Path("broken").touch()
    plan = cli.plan(call("send", "final_answer", to="ann"))
    result = cli.run("execute", "--goal", "g", "--plan", plan, "--quiet")
    assert result.exit_code == 3
    assert result.stdout == ""
    task = cli.json("tasks")[0]["task_id"][:8]
    assert "waiting at step 1: send" in result.stderr
    assert "the line broke" in result.stderr
    assert '{"to": "ann"}' in result.stderr
    for choice in ("--run", "--skip JSON", "--fail"):
        assert f"  stackvm decide {task} {choice}" in result.stderr
    shown = cli.ok("show", task)
    assert "? 1 send -> final_answer" in shown
    assert f"  stackvm decide {task} --run " in shown


def test_running_it_again_is_a_decision(cli: CommandLine, waiting: dict[str, Any]) -> None:
    Path("broken").unlink()
    decided = cli.json("decide", waiting["task_id"], "--run")
    assert (decided["choice"], decided["step"], decided["tool"]) == ("run", 1, "send")
    report = cli.json("resume", waiting["task_id"])
    assert report["final_answer"] == "sent to ann"
    assert [entry["kind"] for entry in cli.json("log", waiting["task_id"])] == [
        "step", "step", "decision", "plan", "goal",
    ]  # fmt: skip


def test_a_value_may_stand_for_the_result(cli: CommandLine, waiting: dict[str, Any]) -> None:
    text = cli.ok("decide", waiting["task_id"], "--skip", '"by hand"')
    assert "✓ decided  skip step 1, send  on main" in text
    assert f"`stackvm resume {waiting['task_id'][:8]}` goes on" in text
    assert cli.ok("resume", waiting["task_id"]) == "by hand\n"


def test_the_step_may_fail(cli: CommandLine, waiting: dict[str, Any]) -> None:
    cli.json("decide", waiting["task_id"], "--fail")
    report = cli.json("resume", waiting["task_id"], code=1)
    assert report["status"] == "failed"
    assert "decided" in report["error"]["message"]


def test_there_may_be_nothing_to_reuse(cli: CommandLine, waiting: dict[str, Any]) -> None:
    result = cli.run("decide", waiting["task_id"], "--reuse")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: there is no earlier result of send with these inputs",
        "hint: choose run, skip or fail",
    ]


def test_without_a_decision_it_waits_on(cli: CommandLine, waiting: dict[str, Any]) -> None:
    assert cli.json("resume", waiting["task_id"], code=3)["waiting"] == waiting["waiting"]
    assert cli.json("tasks", "--status", "waiting")[0]["task_id"] == waiting["task_id"]


@pytest.mark.parametrize("choices", [[], ["--run", "--fail"], ["--run", "--skip", "1"]])
def test_a_decision_is_exactly_one(cli: CommandLine, waiting: dict[str, Any], choices: list[str]) -> None:
    result = cli.run("decide", waiting["task_id"], *choices)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: give exactly one of --reuse, --run, --skip JSON, --fail\n")


def test_a_value_that_is_no_json_is_refused(cli: CommandLine, waiting: dict[str, Any]) -> None:
    result = cli.run("decide", waiting["task_id"], "--skip", "by hand")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: the value of --skip is no JSON")
    assert "a text needs its quotes" in result.stderr


def test_a_run_that_waits_for_nothing_takes_no_decision(cli: CommandLine) -> None:
    task = cli.execute(assign(final_answer=1))["task_id"]
    result = cli.run("decide", task, "--run")
    assert result.exit_code == 2
    assert result.stderr == "error: branch 'main' waits for no decision\n"


def test_a_failed_step_is_tried_again(cli: CommandLine) -> None:
    task = cli.execute(call("read_file", {"final_answer": "text"}, path="late.txt"), code=1)["task_id"]
    Path("late.txt").write_text("there now")
    assert cli.ok("resume", task) == "there now\n"


def test_a_completed_run_prints_its_answer_again(cli: CommandLine) -> None:
    steps = [call("note", "count", text="once"), assign(final_answer={"count": "${count}"})]
    report = cli.execute(*steps)
    result = cli.run("resume", report["task_id"][:8])
    assert json.loads(result.stdout) == {"count": 1}
    assert cli.json("resume", report["task_id"]) == report
    assert Path("notes.txt").read_text() == "once\n"


def test_resume_waits_for_a_branch_that_is_run_elsewhere(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "0.6")
    task = cli.execute(call("boom", "final_answer"), code=1)["task_id"]
    with workplace() as place:
        place.leases.acquire(task, "main", "somebody@elsewhere:1", 0.6)
    result = cli.run("resume", task)
    assert result.exit_code == 1
    held = [line for line in result.stderr.splitlines() if "somebody@elsewhere:1" in line]
    assert len(held) == 1
    assert held[0].endswith("waiting for it")


def test_a_branch_that_is_run_elsewhere_is_not_deleted(cli: CommandLine) -> None:
    task = cli.execute(call("boom", "final_answer"), code=1)["task_id"]
    with workplace() as place:
        place.leases.acquire(task, "main", "somebody@elsewhere:1", 60)
    result = cli.run("delete", task)
    assert result.exit_code == 2
    assert "is being run by somebody@elsewhere:1" in result.stderr
