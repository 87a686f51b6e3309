"""The examples run, and what they answer is true of the files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command_line import PROJECT, CommandLine, assign
from fake_openai import FakeOpenAI

EXAMPLES = PROJECT / "examples"


@pytest.fixture
def checkout(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("TOOLS_ROOT", str(PROJECT))
    return cli


@pytest.mark.parametrize("plan", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_the_checker_finds_nothing_in_it(cli: CommandLine, plan: Path) -> None:
    assert cli.json("verify", str(plan))["findings"] == []


def longest_modules(root: Path) -> str:
    """What the example should answer, worked out by Python from the same files."""
    lines = {
        path.relative_to(root).as_posix(): path.read_text().splitlines()
        for path in sorted((root / "app").rglob("*.py"), key=lambda path: path.relative_to(root).as_posix())
    }
    by_length = sorted(lines, key=lambda name: len(lines[name]))
    total = sum(map(len, lines.values()))
    answer = f"The longest of {len(lines)} modules with {total} lines:"
    for name in by_length[-5:][::-1]:
        first = lines[name][0].replace('"""', "")
        answer += f"\n\n{len(lines[name])}  {name}\n     {first}"
    return answer


def test_the_longest_modules_are_those_of_the_checkout(checkout: CommandLine) -> None:
    plan = str(EXAMPLES / "longest_modules.json")
    report = checkout.json("execute", "--goal", "Which modules are the longest?", "--plan", plan)
    assert report["final_answer"] == longest_modules(PROJECT)
    assert checkout.json("replay", report["task_id"])["identical"]


def test_the_longest_modules_change_with_the_checkout(cli: CommandLine) -> None:
    shutil.copytree(
        PROJECT / "app" / "plan", cli.folder / "app", ignore=shutil.ignore_patterns("__pycache__")
    )
    (cli.folder / "app" / "huge.py").write_text('"""A huge one."""\n' + "x = 1\n" * 2_000)
    plan = str(EXAMPLES / "longest_modules.json")
    answer = cli.ok("execute", "--goal", "Which modules are the longest?", "--plan", plan, "--quiet")
    assert answer == longest_modules(cli.folder) + "\n"
    assert "2001  app/huge.py\n     A huge one." in answer


def test_a_failure_is_handled(cli: CommandLine) -> None:
    (cli.folder / "README.md").write_text("one\ntwo\n")
    plan = str(EXAMPLES / "handled_failure.json")
    report = cli.json("execute", "--goal", "Which files are there?", "--plan", plan)
    answer = report["final_answer"]
    assert answer["verdict"] == "3 of 4 are missing"
    assert answer["found"] == [{"path": "README.md", "lines": 2}]
    assert [each["path"] for each in answer["missing"]] == ["CHANGELOG.md", "pyproject.toml", "NOTES.md"]
    assert all(each["path"] in each["why"] for each in answer["missing"])
    kinds = [entry["kind"] for entry in cli.json("log", report["task_id"])]
    assert "failure" not in kinds


def test_where_nothing_fails_the_other_way_is_taken(cli: CommandLine) -> None:
    plan = EXAMPLES / "handled_failure.json"
    wanted = json.loads(plan.read_text())["steps"][0]["parameters"]["wanted"]
    for name in wanted:
        (cli.folder / name).write_text("here\n")
    report = cli.json("execute", "--goal", "Which files are there?", "--plan", str(plan))
    assert report["final_answer"]["verdict"] == "all are there"
    assert report["final_answer"]["found"] == [{"path": name, "lines": 1} for name in wanted]


def test_the_scripted_example_is_repaired_once_and_answers(
    checkout: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "scripted")
    monkeypatch.setenv("SCRIPTED_REPLIES", str(EXAMPLES / "scripted" / "greeting.yaml"))
    result = checkout.run("execute", "--goal", "Greet the makefile")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "Hello, makefile (cheerful)\n"
    assert "P007" in result.stderr
    assert "P005" in result.stderr
    assert "4 model calls, 2,840 tokens in, 285 out" in result.stderr


def scripted(checkout: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str, goal: str) -> dict[str, Any]:
    """The report of a scripted example, as its first lines say how to run it."""
    path = EXAMPLES / "scripted" / f"{name}.yaml"
    assert f'--goal "{goal}"' in path.read_text()
    monkeypatch.setenv("LLM_PROVIDER", "scripted")
    monkeypatch.setenv("SCRIPTED_REPLIES", str(path))
    report: dict[str, Any] = checkout.json("execute", "--goal", goal)
    assert checkout.json("replay", report["task_id"])["identical"]
    return report


def lines_matching(pattern: str, path: str) -> int:
    return len([line for line in (PROJECT / path).read_text().splitlines() if re.search(pattern, line)])


def test_a_loop_and_a_judged_condition(checkout: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    report = scripted(checkout, monkeypatch, "documented", "Is the Makefile documented?")
    documented, targets = (
        lines_matching("^[a-z][a-z-]*:.*##", "Makefile"),
        lines_matching("^[a-z-]+:", "Makefile"),
    )
    assert report["final_answer"] == f"It is: {documented} of {targets} targets have a help text."


def test_a_text_an_item(checkout: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    report = scripted(checkout, monkeypatch, "summaries", "What are the files at the top for?")
    assert len(report["final_answer"].splitlines()) == 3
    assert report["usage"]["model_calls"] == 4


def test_two_faults_then_a_failure_then_a_revision(
    checkout: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scripted(checkout, monkeypatch, "revised", "How many settings and targets are there?")
    settings, targets = (
        lines_matching("^#? ?[A-Z_]+=", ".env.example"),
        lines_matching("^[a-z-]+:", "Makefile"),
    )
    assert report["final_answer"] == f"{settings} settings, {targets} targets"
    assert [revised["kept"] for revised in report["revisions"]] == [1]
    records = checkout.json("log", report["task_id"], "--records")
    kinds = [entry["kind"] for entry in records][::-1]
    assert kinds == ["goal", "plan", "step", "revision", "step", "step"]
    rounds = next(entry["record"]["rounds"] for entry in records if entry["kind"] == "plan")
    assert [[finding["code"] for finding in each["findings"]] for each in rounds] == [["P007", "P005"], []]


@pytest.fixture
def make_run(checkout: CommandLine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of `make run`, its environment set."""
    shutil.copytree(EXAMPLES, checkout.folder / "examples")
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "run"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    line = told.stdout.replace("\\\n", "").rpartition("SCRIPTED_REPLIES=")[2]
    replies, program, *arguments = shlex.split(line)
    assert program.endswith("/stackvm")
    monkeypatch.setenv("SCRIPTED_REPLIES", replies)
    return arguments


def test_make_run_answers_without_a_model_and_says_that_nobody_was_asked(
    checkout: CommandLine, make_run: list[str]
) -> None:
    result = checkout.run(*make_run)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == longest_modules(PROJECT) + "\n"
    lines = result.stderr.splitlines()
    assert lines[1] == "planning  scripted: replies are read from a file, no model is asked"
    assert lines[-2].startswith("scripted: ")
    assert "LLM_PROVIDER, LLM_MODEL" in lines[-1]
    assert "docs/models.md" in lines[-1]
    assert checkout.json(*make_run)["scripted"] is True


def test_make_run_asks_the_model_that_is_configured(
    checkout: CommandLine, make_run: list[str], server: FakeOpenAI
) -> None:
    server.says(json.dumps([{"seq_no": 1, **assign(final_answer="asked")}]))
    result = checkout.run(*make_run)
    assert result.stdout == "asked\n"
    assert "scripted" not in result.stderr
    server.says(json.dumps([{"seq_no": 1, **assign(final_answer="asked")}]))
    assert "scripted" not in checkout.json(*make_run)


def test_a_task_whose_plan_is_given_is_not_called_scripted(
    checkout: CommandLine, make_run: list[str]
) -> None:
    plan = str(EXAMPLES / "longest_modules.json")
    assert "scripted" not in checkout.run("execute", "--goal", "g", "--plan", plan).stderr


def test_the_golden_runs_of_the_examples_are_the_same_and_call_nothing(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a wanted change: run the example again, and `golden record TASK NAME --replace`."""
    monkeypatch.setenv("GOLDEN_DIR", str(EXAMPLES / "golden"))
    monkeypatch.setenv("TOOLS_ROOT", str(cli.folder))
    results = cli.json("golden", "check")
    stored = {path.stem for path in (EXAMPLES / "golden").glob("*.bundle")}
    examples = {path.stem for kind in ("*.json", "scripted/*.yaml") for path in EXAMPLES.glob(kind)}
    assert {result["name"] for result in results} == stored == examples
    assert {(result["verdict"], result["calls_made"]) for result in results} == {("same", 0)}
