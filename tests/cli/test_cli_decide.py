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


SENDS = {"for_each": ["ann", "bob", "cid"]}


@pytest.fixture
def sent_again(cli: CommandLine) -> str:
    """A task whose three letters were sent, and whose fork behind that would send them again."""
    report = cli.execute(
        assign(subject="hello"),
        call("send", "sent", on=SENDS, to="${item}"),
        assign(final_answer="${subject}"),
    )
    task: str = report["task_id"]
    plan = cli.plan(
        assign(subject="hi"),
        call("send", "sent", on=SENDS, to="${item}"),
        assign(final_answer="${subject}"),
    )
    report = cli.json("revise", task, "--plan", plan, "--yes", code=3)
    assert report["waiting"]["item"] == 0
    return task


def test_a_choice_says_what_it_will_do(cli: CommandLine, sent_again: str) -> None:
    waiting = cli.json("show", sent_again)["waiting"]
    does = {each["choice"]: each["does"] for each in waiting["choices"]}
    assert list(does) == ["reuse", "run", "skip", "fail"]
    (step,) = [
        entry for entry in cli.json("log", sent_again, "--branch", "main") if entry.get("tool") == "send"
    ]
    assert (
        does["reuse"] == f"take the result that send gave for the same inputs at commit {step['commit'][:10]}"
    )
    assert waiting["choices"][0]["from_commit"] == step["commit"]
    assert does["run"] == "call send with the same idempotency key, as attempt 1"
    assert does["fail"] == "let item 0 of step 2 fail, without a call"


def test_items_are_decided_about_one_by_one_or_all(cli: CommandLine, sent_again: str) -> None:
    decided = cli.json("decide", sent_again, "--reuse", "--item", "0", "--item", "2")
    assert decided["items"] == [0, 2]
    result = cli.run("resume", sent_again, "--json")
    assert json.loads(result.stdout)["waiting"]["item"] == 1
    gone = cli.run("decide", sent_again, "--skip", "1", "--item", "2")
    assert "item 2 waits for no decision" in gone.stderr
    assert "hint: these do: 1" in gone.stderr
    assert cli.json("decide", sent_again, "--run", "--all-items")["items"] == [1]
    assert cli.json("resume", sent_again)["status"] == "completed"
    assert cli.json("replay", sent_again)["identical"]


def test_all_items_at_once(cli: CommandLine, sent_again: str) -> None:
    assert cli.json("decide", sent_again, "--reuse", "--all-items")["items"] == [0, 1, 2]
    assert cli.json("resume", sent_again)["final_answer"] == "hi"
    assert cli.run("decide", sent_again, "--run", "--item", "1", "--all-items").exit_code == 2


def test_what_another_person_has_decided_is_told(cli: CommandLine, waiting: dict[str, Any]) -> None:
    cli.ok("decide", waiting["task_id"], "--fail")
    late = cli.run("decide", waiting["task_id"], "--run")
    assert late.exit_code == 2
    assert "any more: tester has decided: fail step 1" in late.stderr
    assert "hint: `resume` goes on" in late.stderr


def test_only_the_call_that_was_seen_is_decided_about(cli: CommandLine, waiting: dict[str, Any]) -> None:
    key = waiting["waiting"]["idempotency_key"]
    other = cli.run("decide", waiting["task_id"], "--run", "--key", "0" * 64)
    assert other.exit_code == 2
    assert f"another call waits by now: send in step 1, key {key}" in other.stderr
    assert cli.run("decide", waiting["task_id"], "--run", "--item", "0").exit_code == 2
    cli.ok("decide", waiting["task_id"], "--run", "--key", key)
