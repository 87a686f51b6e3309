"""``tool``, ``namespace``, ``verify``, ``doctor``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import CommandLine, assign, call

from app.cli import namespace, tool


def test_tools_are_listed(cli: CommandLine) -> None:
    documents = {each["tool"]: each for each in cli.json("tool", "list")}
    assert {"list_files", "read_file", "search_text", "double", "send"} <= set(documents)
    assert documents["send"]["effect"] == "irreversible"
    header, *lines = cli.ok("tool", "list").splitlines()
    assert header.split() == ["TOOL", "EFFECT", "DESCRIPTION"]
    assert any(line.split()[:3] == ["double", "pure", "Twice"] for line in lines)


def test_a_tool_is_shown(cli: CommandLine) -> None:
    document = cli.json("tool", "show", "double")
    assert document["parameters"]["required"] == ["number"]
    assert document["result"] == {"type": "integer"}
    text = cli.ok("tool", "show", "hang")
    assert text.startswith("hang\n  Overrun.\neffect     read\ntimeout    0.100 s\n")


def test_a_tool_is_called(cli: CommandLine) -> None:
    assert cli.ok("tool", "call", "double", '{"number": 21}') == "42\n"
    assert cli.json("tool", "call", "double", '{"number": 21}')["value"] == 42
    assert cli.run("tool", "call", "double", "-", stdin='{"number": 4}').stdout == "8\n"
    assert cli.ok("tool", "call", "chatter") == "quiet\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["boom"], "error: boom: RuntimeError: no luck"),
        (["hang"], "error: hang: "),
        (["double", '{"number": "x"}'], "error: double: "),
    ],
)
def test_a_call_that_fails_is_an_error(cli: CommandLine, arguments: list[str], message: str) -> None:
    result = cli.run("tool", "call", *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith(message)
    assert cli.json("tool", "call", *arguments, code=1)["error"]


def test_tools_need_no_database(bare_folder: Path) -> None:
    assert "double" in CommandLine(bare_folder).ok("tool", "list")
    assert not (bare_folder / "var").exists()


def test_namespaces_come_and_go(cli: CommandLine) -> None:
    made = cli.json("namespace", "create", "docs", "--allowed-tools", "read_*", "--allowed-tools", "double")
    assert made["namespace"] == "docs"
    assert made["allowed_tools"] == ["read_*", "double"]
    assert cli.json("namespace", "show", "docs")["tools"] == ["double", "read_file"]
    changed = cli.json("namespace", "update", "docs", "--description", "Reads")
    assert (changed["allowed_tools"], changed["description"]) == (["read_*", "double"], "Reads")
    assert [each["namespace"] for each in cli.json("namespace", "list")] == ["docs"]
    assert "docs       read_*, double  Reads" in cli.ok("namespace", "list")
    assert cli.json("namespace", "delete", "docs") == {"namespace": "docs", "deleted": True}
    assert cli.json("namespace", "list") == []


def test_a_namespace_may_say_what_becomes_of_irreversible_calls(cli: CommandLine) -> None:
    made = cli.json("namespace", "create", "calm", "--allowed-tools", "*", "--irreversible", "reuse")
    assert made["policies"] == {"irreversible": "reuse"}
    changed = cli.json("namespace", "update", "calm", "--irreversible", "skip")
    assert (changed["policies"], changed["allowed_tools"]) == ({"irreversible": "skip"}, ["*"])
    assert "skip" in cli.ok("namespace", "show", "calm")


def test_a_namespace_says_which_tools_it_lets_through(cli: CommandLine) -> None:
    result = cli.run("namespace", "create", "odd", "--allowed-tools", "no_such", "--allowed-tools", "*_file")
    assert result.exit_code == 0
    assert result.stderr == "warning: there is no tool 'no_such' here\n"
    assert "these tools  read_file" in cli.ok("namespace", "show", "odd")


@pytest.mark.parametrize("group", [namespace, tool])
def test_the_groups_stand_alone_as_well(cli: CommandLine, group: object) -> None:
    result = CliRunner().invoke(group, ["list", "--json"])  # type: ignore[arg-type]
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), list)


def test_a_namespace_is_enforced_at_the_check_and_at_the_call(cli: CommandLine) -> None:
    cli.ok("namespace", "create", "narrow", "--allowed-tools", "*")
    options = ["--namespace-name", "narrow"]
    task = cli.execute(call("boom", "final_answer"), options=options, code=1)["task_id"]
    cli.ok("namespace", "update", "narrow", "--allowed-tools", "double")
    report = cli.json("resume", task, code=1)
    assert "not allowed" in report["error"]["message"]
    plan = cli.plan(call("boom", "final_answer"))
    document = cli.json("verify", plan, *options, code=4)
    assert [each["code"] for each in document["findings"]] == ["P007"]


def test_verify_finds_nothing_in_a_good_plan(cli: CommandLine) -> None:
    plan = cli.plan(assign(final_answer=1))
    assert cli.ok("verify", plan) == "✓ plan.json: 1 step, no findings\n"
    assert cli.json("verify", plan) == {"valid": True, "steps": 1, "errors": 0, "warnings": 0, "findings": []}


def test_verify_names_what_is_wrong_and_what_would_be_right(cli: CommandLine) -> None:
    plan = cli.plan(call("read_fil", "text", path="poem.txt"), assign(final_answer="${txt}"))
    document = cli.json("verify", plan, code=4)
    assert {each["code"] for each in document["findings"]} == {"P005", "P007"}
    assert (document["valid"], document["errors"]) == (False, 2)
    result = cli.run("verify", plan)
    assert result.exit_code == 4
    lines = result.stdout.splitlines()
    assert lines[0] == "✗ plan.json: 2 steps, 2 errors"
    assert lines[1].startswith("  P007 error at step 1, parameters.tool_name")
    assert any("read_file" in line for line in lines)


def test_verify_lets_warnings_pass(cli: CommandLine) -> None:
    plan = cli.plan(
        {"type": "jmp", "parameters": {"target_seq": 3}}, assign(never=1), assign(final_answer=1)
    )  # fmt: skip
    document = cli.json("verify", plan)
    assert [each["code"] for each in document["findings"]] == ["P004"]
    assert cli.ok("verify", plan).startswith("! plan.json: 3 steps, 1 warning\n")


def test_verify_needs_no_database(bare_folder: Path) -> None:
    cli = CommandLine(bare_folder)
    assert cli.run("verify", cli.plan(assign(final_answer=1))).exit_code == 0
    assert not (bare_folder / "var").exists()


def test_the_doctor_finds_nothing(cli: CommandLine) -> None:
    checks = cli.json("doctor")
    assert [check["name"] for check in checks] == [
        "settings", "VAR_DIR", "TOOLS_ROOT", "database", "migrations", "tools", "models",
    ]  # fmt: skip
    assert all(check["ok"] for check in checks)
    *lines, models, advice = cli.ok("doctor").splitlines()
    assert all(line.startswith("✓ ") for line in lines)
    assert models == "✓ models      none is configured"
    assert "LLM_PROVIDER" in advice


def test_the_doctor_says_what_to_do(bare_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = CommandLine(bare_folder)
    (bare_folder / "tools" / "broken.py").write_text("import no_such_module\n")
    checks = {check["name"]: check for check in cli.json("doctor", code=1)}
    assert not checks["migrations"]["ok"]
    assert "make migrate" in checks["migrations"]["advice"]
    assert "no_such_module" in checks["tools"]["detail"]
    assert "run `make migrate`" in cli.run("doctor").stdout
    monkeypatch.setenv("MAX_STEPS", "many")
    (only,) = cli.json("doctor", code=1)
    assert "MAX_STEPS" in only["detail"]
