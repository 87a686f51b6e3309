"""``plan``, and ``execute`` without a plan: a scripted model writes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine

CLEAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "planned"}}]
BROKEN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "${missing}"}}]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the scripted model's replies."""
    path = tmp_path / "replies.yaml"
    monkeypatch.setenv("LLM_PROVIDER", "scripted")
    monkeypatch.setenv("SCRIPTED_REPLIES", str(path))
    return path


def say(path: Path, *plans: object) -> None:
    replies = [{"purpose": "plan", "reply": json.dumps(plan)} for plan in plans]
    path.write_text(json.dumps(replies))


def test_a_goal_is_enough(cli: CommandLine, script: Path) -> None:
    say(script, BROKEN, CLEAN)
    result = cli.run("execute", "--goal", "anything")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "planned\n"
    assert "scripted" in result.stderr
    assert "P005" in result.stderr
    assert "2 model calls" in result.stderr


def test_a_plan_that_stays_unclean_exits_4_with_its_findings(cli: CommandLine, script: Path) -> None:
    say(script, BROKEN, BROKEN, BROKEN)
    result = cli.run("execute", "--goal", "anything", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"]["findings"][0]["code"] == "P005"
    tasks = json.loads(cli.run("tasks", "--json").stdout)
    assert [task["status"] for task in tasks] == ["failed"]
    say(script, CLEAN)
    assert cli.run("resume", tasks[0]["task_id"]).stdout == "planned\n"


def test_plan_shows_a_plan_and_runs_nothing(cli: CommandLine, script: Path, tmp_path: Path) -> None:
    say(script, CLEAN, CLEAN)
    result = cli.run("plan", "--goal", "anything")
    assert json.loads(result.stdout)["steps"] == CLEAN
    out = tmp_path / "plan.json"
    assert cli.run("plan", "--goal", "anything", "--out", str(out)).exit_code == 0
    assert json.loads(out.read_text())["steps"] == CLEAN
    assert json.loads(cli.run("tasks", "--json").stdout) == []


def test_without_a_model_it_says_what_to_set(cli: CommandLine) -> None:
    for command in ("plan", "execute"):
        result = cli.run(command, "--goal", "anything")
        assert result.exit_code == 2
        assert "no model is configured" in result.stderr
        assert "LLM_PROVIDER" in result.stderr
        assert result.stdout == ""
    assert json.loads(cli.run("tasks", "--json").stdout) == []
