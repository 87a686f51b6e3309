"""``tasks``, ``show``, ``log``, ``diff``: what a run did."""

from __future__ import annotations

import pytest
from command_line import CommandLine, assign, call


@pytest.fixture
def task(cli: CommandLine) -> str:
    """A task with a loop, a call and a handled failure."""
    report = cli.execute(
        assign(i=0, seen=[]),
        call("double", "twice", number="${i}"),
        assign(seen="${{ seen + [twice] }}", i="${{ i + 1 }}"),
        {"type": "jmp", "parameters": {"condition": "i < 2", "jump_if_true": 2}},
        call("boom", "nothing", on={"on_error": "continue"}),
        {"type": "jmp", "parameters": {"target_seq": 8}},
        assign(skipped=True),
        {**assign(final_answer="${seen}"), "description": "The answer"},
    )
    return str(report["task_id"])


def test_tasks_are_listed_newest_first(cli: CommandLine, task: str) -> None:
    failed = cli.execute(call("boom", "final_answer"), code=1)["task_id"]
    documents = cli.json("tasks")
    assert [document["task_id"] for document in documents] == [failed, task]
    assert documents[0]["status"] == "failed"
    assert documents[0]["error"] == "RuntimeError: no luck"
    assert documents[1] | {"created_ms": 0, "updated_ms": 0, "worked_ms": 0} == {
        "task_id": task,
        "goal": "test",
        "namespace": None,
        "status": "completed",
        "branch": "main",
        "steps": 10,
        "planned_steps": 8,
        "worked_ms": 0,
        "cost": 0.0,
        "error": None,
        "branches": 1,
        "history": "sql",
        "created_ms": 0,
        "updated_ms": 0,
    }
    header, first, second = cli.ok("tasks").splitlines()
    assert header.split() == ["TASK", "STATUS", "STEPS", "BRANCH", "CREATED", "GOAL"]
    assert first.startswith(failed[:8])
    assert second.split()[:4] == [task[:8], "completed", "10", "main"]


def test_tasks_are_chosen_by_status_and_number(cli: CommandLine, task: str) -> None:
    cli.execute(call("boom", "final_answer"), code=1)
    assert [each["task_id"] for each in cli.json("tasks", "--status", "completed")] == [task]
    assert len(cli.json("tasks", "--limit", "1")) == 1
    assert cli.json("tasks", "--status", "waiting") == []


def test_show_has_the_plan_with_the_state_of_each_step(cli: CommandLine, task: str) -> None:
    shown = cli.json("show", task[:6])
    assert shown["task_id"] == task
    assert shown["branch"] == "main"
    assert {step["seq_no"]: (step["state"], step["visits"]) for step in shown["plan"]} == {
        1: ("done", 1), 2: ("done", 2), 3: ("done", 2), 4: ("done", 2),
        5: ("done", 1), 6: ("done", 1), 7: ("pending", 0), 8: ("done", 1),
    }  # fmt: skip
    assert shown["variables"]["seen"] == [0, 2]
    assert [branch["branch"] for branch in shown["branches"]] == ["main"]


def test_show_for_a_person_has_it_on_a_screen(cli: CommandLine, task: str) -> None:
    text = cli.ok("show", task)
    lines = [line.split() for line in text.splitlines()]
    assert ["task", task] in lines
    assert "✓ 2 double -> twice" in text
    assert "×2" in text
    assert "· 7 assign -> skipped" in text
    assert "jmp if i < 2 -> 2" in text
    assert "The answer" in text
    assert ["seen", "2", "items", "[0,", "2]"] in lines
    assert "limits    1,000 steps, 86,400 seconds, values of 16 MiB" in text


def test_show_at_a_revision_is_what_was_there(cli: CommandLine, task: str) -> None:
    shown = cli.json("show", task, "--at", "main~3")
    assert shown["status"] == "paused"
    assert "final_answer" not in shown["variables"]
    assert [step["seq_no"] for step in shown["plan"] if step["state"] == "next"] == [5]
    assert "→ 5 boom -> nothing" in cli.ok("show", task, "--at", "main~3")


def test_show_of_a_failed_run_says_why(cli: CommandLine) -> None:
    task = cli.execute(call("boom", "final_answer", message="x" * 50), code=1)["task_id"]
    text = cli.ok("show", task)
    assert "✗ 1 boom -> final_answer" in text
    assert f"error  step 1 boom: RuntimeError: {'x' * 50}" in text


def test_large_values_are_shown_by_their_beginning(cli: CommandLine) -> None:
    task = cli.execute(
        assign(text="${{ 'abc' * 100000 }}", rows="${{ [['x' * 100]] * 1000 }}", final_answer=1)
    )["task_id"]
    text = cli.ok("show", task)
    assert "300,000 characters" in text
    assert "1,000 items" in text
    assert max(map(len, text.splitlines())) <= 120
    assert len(cli.json("show", task)["variables"]["text"]) == 300_000


def test_log_has_a_line_a_commit(cli: CommandLine, task: str) -> None:
    entries = cli.json("log", task)
    lines = cli.ok("log", task).splitlines()
    assert len(entries) == len(lines) == 12
    assert [entry["kind"] for entry in entries] == ["step"] * 10 + ["plan", "goal"]
    assert [entry["parent"] for entry in entries[:-1]] == [entry["commit"] for entry in entries[1:]]
    assert entries[-1]["parent"] is None
    assert lines[0] == f"{entries[0]['commit'][:8]} (main) ✓ step 8: assign -> final_answer"
    assert lines[-1].endswith("◆ goal: test")
    assert entries[0].keys() == {"commit", "parent", "kind", "seq_no", "tool", "subject", "author", "time"}


def test_log_of_a_branch_is_cut_and_has_records(cli: CommandLine, task: str) -> None:
    cli.ok("fork", task, "--at", "main~3", "--name", "early")
    assert len(cli.json("log", task, "--branch", "early")) == 9
    entries = cli.json("log", task, "--limit", "4", "--records")
    assert len(entries) == 4
    failure = entries[2]["record"]
    assert failure["tool"] == "boom"
    assert "no luck" in failure["error"]
    assert '"tool": "boom"' in cli.ok("log", task, "--limit", "3", "--records")


def test_diff_has_plan_and_state(cli: CommandLine, task: str) -> None:
    document = cli.json("diff", task, "main~3")
    assert set(document) == {"from", "to", "plan", "state", "text", "runs"}
    assert document["runs"] is None  # one came before the other: they are one run
    assert all(step["kind"] == "unchanged" for step in document["plan"]["steps"])
    changes = {each["name"]: each["change"] for each in document["state"]["variables"]}
    assert changes == {"error": "added", "final_answer": "added", "nothing": "added"}
    text = cli.ok("diff", task, "main~3")
    assert "plan  the same" in text
    assert "  + final_answer   → [0, 2]" in text
    assert '  status  "running" → "completed"' in text


def test_diff_shows_one_level_where_that_is_asked(cli: CommandLine, task: str) -> None:
    assert set(cli.json("diff", task, "main~3", "main", "--state")) == {"from", "to", "state"}
    assert set(cli.json("diff", task, "main~3", "--plan")) == {"from", "to", "plan"}
    text = cli.ok("diff", task, "main~1", "--text")
    assert text.startswith("diff --git ")
    assert "+++ b/vars/final_answer.json" in text
    assert "\nplan" not in cli.ok("diff", task, "main~1", "--state")


def test_diff_of_plans_names_the_steps(cli: CommandLine, task: str) -> None:
    text = cli.ok("diff", task, "main~11", "main", "--plan")
    assert "+ step 2 double  added" in text
