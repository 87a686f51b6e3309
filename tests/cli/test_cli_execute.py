"""``execute``: the answer to stdout, everything else to stderr, and the exit code of how it ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine, assign, call


def test_a_text_is_printed_as_it_is(cli: CommandLine) -> None:
    plan = cli.plan(assign(final_answer='two\nlines and a "quote"'))
    result = cli.run("execute", "--goal", "g", "--plan", plan)
    assert result.exit_code == 0
    assert result.stdout == 'two\nlines and a "quote"\n'


def test_any_other_answer_is_printed_as_json(cli: CommandLine) -> None:
    plan = cli.plan(assign(final_answer={"b": [1, None], "a": "ü"}))
    stdout = cli.ok("execute", "--goal", "g", "--plan", plan)
    assert json.loads(stdout) == {"b": [1, None], "a": "ü"}
    assert "ü" in stdout
    assert stdout.count("\n") > 3


def test_progress_and_the_end_are_told_on_stderr(cli: CommandLine) -> None:
    plan = cli.plan(call("read_file", {"text": "text"}, path="poem.txt"), assign(final_answer="${text}"))
    result = cli.run("execute", "--goal", "g", "--plan", plan)
    first, read, assigned, end, *following = result.stderr.splitlines()
    assert first.startswith("task ")
    task = first.split()[1]
    assert read.startswith("✓ 1 read_file -> text  0.0")
    assert read.endswith('"roses\\nviolets\\n"')
    assert assigned.startswith("✓ 2 assign -> final_answer")
    assert end.startswith(f"✓ completed  {task[:8]} main  2 steps  ")
    commands = [" ".join(line.split()[:3]) for line in following]
    assert commands == [f"stackvm {word} {task[:8]}" for word in ("show", "log", "replay")]


def test_quiet_says_nothing_but_the_answer(cli: CommandLine) -> None:
    result = cli.run("execute", "--goal", "g", "--plan", cli.plan(assign(final_answer=1)), "--quiet")
    assert (result.stdout, result.stderr) == ("1\n", "")


def test_json_is_the_report_of_the_run(cli: CommandLine) -> None:
    report = cli.execute(assign(final_answer=[1, "two"]))
    assert list(report) == [
        "task_id", "branch", "head", "status", "final_answer", "steps", "usage", "error", "waiting",
            "revisions",
    ]  # fmt: skip
    assert report["status"] == "completed"
    assert report["final_answer"] == [1, "two"]
    assert report["error"] is None
    assert report["waiting"] is None
    assert len(report["head"]) == 40


def test_a_run_without_an_answer_completes_and_prints_none(cli: CommandLine) -> None:
    skip = {"type": "jmp", "parameters": {"condition": "a == 1", "jump_if_true": 4}}
    plan = cli.plan(assign(a=1), skip, assign(final_answer=1), assign(b=1))
    result = cli.run("execute", "--goal", "g", "--plan", plan)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "P011 warning" in result.stderr
    assert "no final_answer" in result.stderr


def test_a_plan_comes_from_stdin(cli: CommandLine) -> None:
    text = json.dumps([{"seq_no": 1, **assign(final_answer="from stdin")}])
    result = cli.run("execute", "--goal", "g", "--plan", "-", stdin=text)
    assert result.stdout == "from stdin\n"


def test_a_failed_step_is_named(cli: CommandLine) -> None:
    plan = cli.plan(call("boom", "a", message="no\nluck"), assign(final_answer="${a}"))
    result = cli.run("execute", "--goal", "g", "--plan", plan)
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    task = lines[0].split()[1][:8]
    assert "error: step 1 boom: RuntimeError: no luck" in lines
    assert f"hint: `stackvm resume {task}` tries the step again" in lines


def test_a_failed_run_reports_its_error_as_json(cli: CommandLine) -> None:
    report = cli.execute(call("boom", "a"), assign(final_answer="${a}"), code=1)
    assert report["status"] == "failed"
    assert report["error"]["step"] == 1
    assert report["error"]["tool"] == "boom"


def test_no_more_calls_are_under_way_than_is_said(cli: CommandLine) -> None:
    steps = [call("crowd", f"c{item}", item=item) for item in range(4)]
    steps.append(call("crowd", "more", on={"for_each": [4, 5, 6]}, item="${item}"))
    steps.append(assign(final_answer="${{ max(c0, c1, c2, c3, max(more)) }}"))
    assert cli.execute(*steps, options=["--parallel", "2"])["final_answer"] == 2
    assert cli.execute(*steps, options=["--parallel", "1"])["final_answer"] == 1
    assert cli.execute(*steps)["final_answer"] > 2


def test_the_limit_of_steps_ends_a_run_and_may_be_raised(cli: CommandLine) -> None:
    steps = [
        assign(i=0),
        assign(i="${{ i + 1 }}"),
        {"type": "jmp", "parameters": {"condition": "i < 10", "jump_if_true": 2}},
        assign(final_answer="${i}"),
    ]
    report = cli.execute(*steps, options=["--max-steps", "5"], code=1)
    assert report["error"]["message"].startswith("limit reached: steps")
    task = report["task_id"]
    again = cli.run("resume", task)
    assert again.exit_code == 1
    assert f"hint: `stackvm resume {task[:8]} --max-steps N` raises the limit and goes on" in again.stderr
    assert cli.json("resume", task, "--max-steps", "100")["final_answer"] == 10


def test_the_namespace_and_the_format_are_kept(cli: CommandLine) -> None:
    cli.ok("namespace", "create", "readers", "--allowed-tools", "read_*")
    options = ["--namespace-name", "readers", "--response-format", '{"lang": "fr"}', "--max-steps", "7"]
    shown = cli.json("show", cli.execute(assign(final_answer=1), options=options)["task_id"])
    assert shown["namespace"] == "readers"
    assert shown["response_format"] == {"lang": "fr"}
    assert shown["limits"]["steps"] == 7


@pytest.mark.parametrize("store", ["sql", "git"])
def test_the_history_is_kept_where_it_is_wanted(cli: CommandLine, store: str) -> None:
    report = cli.execute(assign(final_answer=1), options=["--history", store])
    assert cli.json("show", report["task_id"])["history"] == store
    repository = cli.folder / "var" / "repositories" / f"{report['task_id']}.git"
    assert repository.exists() == (store == "git")
    assert cli.json("replay", report["task_id"])["identical"]


def test_what_tools_print_goes_to_stderr(cli: CommandLine) -> None:
    plan = cli.plan(call("chatter", "said"), assign(final_answer="${said}"))
    result = cli.run("execute", "--goal", "g", "--plan", plan)
    assert result.stdout == "quiet\n"
    assert "printed" in result.stderr


def test_control_characters_of_values_stay_out_of_the_terminal(cli: CommandLine) -> None:
    plan = cli.plan(call("snippet", "a"), assign(final_answer="done"))
    result = cli.run("execute", "--goal", "g", "--plan", plan)
    assert "\x1b" not in result.output


def test_a_rejected_plan_leaves_nothing(cli: CommandLine) -> None:
    result = cli.run("execute", "--goal", "g", "--plan", cli.plan(assign(a="${nowhere}")))
    assert result.exit_code == 4
    assert cli.json("tasks") == []


def test_plans_are_found_in_what_a_model_said(cli: CommandLine) -> None:
    document = json.dumps([{"seq_no": 1, **assign(final_answer="found")}])
    Path("reply.txt").write_text(f"Here it is:\n```json\n{document}\n```\n")
    assert cli.ok("execute", "--goal", "g", "--plan", "reply.txt") == "found\n"
