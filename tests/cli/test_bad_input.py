"""Whatever is given: one clear line with a place and a hint, the documented exit code, and nothing half-written."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import CommandLine, assign, call, error_lines

from app.cli.exit_codes import FAILED, REJECTED, USAGE


def execute(cli: CommandLine, plan: str, *options: str) -> Result:
    return cli.run("execute", "--goal", "g", "--plan", plan, *options)


def nothing_kept(cli: CommandLine) -> bool:
    with sqlite3.connect(cli.database) as connection:
        tables = ["tasks", "branches"]
        counts = [connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables]
    connection.close()
    return counts == [0, 0] and not list((cli.folder / "var").glob("repositories/*"))


def jump(target: int) -> dict[str, Any]:
    return {"type": "jmp", "parameters": {"target_seq": target}}


REJECTED_TEXTS = {
    "no JSON": ("hello", "P001"),
    "broken JSON": ('[{"seq_no": 1,', "P001"),
    "nothing": ("", "P001"),
    "not UTF-8": (b"[\xff]", "P001"),
    "ten megabytes of lists": ("[" * 10_000_000, "P001"),
    "deep lists": ("[" * 100_000 + "]" * 100_000, "P001"),
    "no steps": ('{"steps": []}', "P001"),
    "an unknown type": ('[{"seq_no": 1, "type": "dance", "parameters": {}}]', "P001"),
    "a lone surrogate": (
        '[{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "\\ud800"}}]',
        "P001",
    ),
}

REJECTED_STEPS = {
    "a jump to nowhere": ([jump(99)], "P003"),
    "an undefined variable": ([assign(final_answer="${nowhere}")], "P005"),
    "10,000 parentheses": ([assign(final_answer="${{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}")], "P012"),
    "an unknown function": ([assign(final_answer="${{ open('x') }}")], "P012"),
    "an unknown tool": ([call("dance", "final_answer")], "P007"),
    "a wrong argument": ([call("double", "final_answer", number="one")], "P008"),
    "a loop without a way out": ([assign(a=1), jump(1)], "P010"),
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED_TEXTS)
def test_a_text_that_is_no_plan_is_rejected(cli: CommandLine, name: str) -> None:
    text, code = REJECTED_TEXTS[name]
    Path("plan.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    rejected(cli, "plan.json", code)


@pytest.mark.parametrize("name", REJECTED_STEPS)
def test_a_plan_that_can_not_run_is_rejected(cli: CommandLine, name: str) -> None:
    steps, code = REJECTED_STEPS[name]
    rejected(cli, cli.plan(*steps), code)


def rejected(cli: CommandLine, plan: str, code: str) -> None:
    started = time.monotonic()
    result = execute(cli, plan)
    assert time.monotonic() - started < 10
    assert result.exit_code == REJECTED
    first, *findings = error_lines(result)
    assert first.startswith("error: the plan was rejected: ")
    assert any(line.startswith(f"  {code} error") for line in findings)
    assert any("hint: " in line for line in findings)
    assert all(len(line) < 500 for line in findings)
    assert nothing_kept(cli)
    document = cli.json("execute", "--goal", "g", "--plan", plan, code=REJECTED)
    assert document["error"]["type"] == "PlanRejected"
    assert code in [finding["code"] for finding in document["error"]["findings"]]
    assert cli.run("verify", plan).exit_code == REJECTED


FAILING_STEPS = {
    "a text of 10⁹ characters": (assign(final_answer="${{ 'a' * 10**9 }}"), "limit"),
    "a tower of powers": (assign(final_answer="${{ 9**9**9 }}"), "too long"),
    "a division by zero": (assign(final_answer="${{ 1 / 0 }}"), "division by zero"),
    "a tool that raises": (call("boom", "final_answer"), "no luck"),
    "a tool that hangs": (call("hang", "final_answer"), "0.1 s"),
    "a hundred megabytes": (call("odd", "final_answer", kind="huge"), "above the limit of 16,777,216 bytes"),
    "NaN": (call("odd", "final_answer", kind="nan"), "holds nan"),
    "bytes": (call("odd", "final_answer", kind="bytes"), "bytes"),
    "a lone surrogate": (call("odd", "final_answer", kind="surrogate"), "surrogate"),
    "a file that is not there": (call("read_file", "final_answer", path="none.txt"), "none.txt"),
    "a way out of the root": (call("read_file", "final_answer", path="../secret"), "../secret"),
}


@pytest.mark.parametrize("name", FAILING_STEPS)
def test_a_step_that_goes_wrong_fails_the_run(cli: CommandLine, name: str) -> None:
    step, words = FAILING_STEPS[name]
    result = execute(cli, cli.plan(step), "--quiet")
    assert result.exit_code == FAILED
    error, hint = error_lines(result)
    assert error.startswith("error: step 1")
    assert words in error
    assert "tries the step again" in hint
    (task,) = cli.json("tasks", "--status", "failed")
    assert [entry["kind"] for entry in cli.json("log", task["task_id"])] == ["failure", "plan", "goal"]
    assert cli.json("replay", task["task_id"])["identical"]


WRONG_USAGE: dict[str, tuple[list[str], str]] = {
    "no plan": (["execute", "--goal", "g"], "error: no model is configured to write plans"),
    "no goal": (["execute", "--plan", "plan.json"], "error: Missing option '--goal'"),
    "an empty goal": (["execute", "--goal", " ", "--plan", "plan.json"], "error: the goal is empty"),
    "a plan that is not there": (["execute", "--goal", "g", "--plan", "no.json"], "error: there is no file"),
    "a plan that is a folder": (["verify", "tools"], "error: plan 'tools' can't be read: Is a directory"),
    "a format that is no JSON": (
        ["execute", "--goal", "g", "--plan", "plan.json", "--response-format", "french"],
        "error: --response-format is no JSON",
    ),
    "a format that is no object": (
        ["execute", "--goal", "g", "--plan", "plan.json", "--response-format", "[]"],
        "error: --response-format is no JSON object",
    ),
    "no calls at once": (
        ["execute", "--goal", "g", "--plan", "plan.json", "--parallel", "0"],
        "error: Invalid value for '--parallel'",
    ),
    "more calls at once than there may be": (
        ["resume", "3f2a91c4", "--parallel", "100000"],
        "error: Invalid value for '--parallel'",
    ),
    "no steps allowed": (
        ["execute", "--goal", "g", "--plan", "plan.json", "--max-steps", "0"],
        "error: Invalid value for '--max-steps'",
    ),
    "a namespace that is not there": (
        ["execute", "--goal", "g", "--plan", "plan.json", "--namespace-name", "nowhere"],
        "error: no namespace 'nowhere'",
    ),
    "a namespace that is not there, for the checker": (
        ["verify", "plan.json", "--namespace-name", "nowhere"],
        "error: no namespace 'nowhere'",
    ),
    "an unknown command": (["excute"], "error: there is no command 'excute'; did you mean 'execute'?"),
    "an unknown option": (["tasks", "--sttus", "failed"], "error: No such option '--sttus'"),
    "more tasks than there can be": (["tasks", "--limit", "9" * 30], "error: Invalid value for '--limit'"),
    "more commits than there can be": (["log", "x", "--limit", "9" * 30], "error: Invalid value for '--limit'"),
    "an unknown status": (["tasks", "--status", "done"], "error: there is no status 'done'"),
    "a task that is not there": (["show", "12345678"], "error: no task '12345678'"),
    "no task": (["show"], "error: Missing argument 'TASK'"),
    "an empty id": (["show", ""], "error: no task ''"),
    "an unknown tool": (["tool", "show", "reed_file"], "error: no tool 'reed_file'"),
    "arguments that are no object": (["tool", "call", "double", "[1]"], "error: the arguments of a tool are"),
    "arguments that are no JSON": (["tool", "call", "double", "{"], "error: the argument is no JSON"),
    "a namespace without tools": (["namespace", "create", "x"], "error: give --allowed-tools at least once"),
    "a namespace without a name": (["namespace", "create", " ", "--allowed-tools=*"], "error: ' ' can't be the name"),
    "a change of nothing": (["namespace", "update", "x"], "error: give --allowed-tools, --description or"),
    "a namespace to delete that is not there": (["namespace", "delete", "x"], "error: no namespace 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_USAGE)
def test_wrong_usage_is_one_line_and_a_hint(cli: CommandLine, name: str) -> None:
    arguments, expected = WRONG_USAGE[name]
    cli.plan(assign(final_answer=1))
    result = cli.run(*arguments)
    assert result.exit_code == USAGE
    error, *hint = error_lines(result)
    assert error.startswith(expected)
    assert len(hint) <= 1
    assert all(line.startswith("hint: ") for line in hint)
    assert nothing_kept(cli)
    document = cli.json(*arguments, code=USAGE)
    assert set(document) == {"error"}
    assert document["error"].keys() >= {"type", "message", "hint"}


def test_the_usage_in_a_hint_is_whole(cli: CommandLine) -> None:
    assert error_lines(cli.run("excute"))[1].endswith("COMMAND [ARGS]...")


def test_a_name_that_is_taken_is_refused(cli: CommandLine) -> None:
    cli.ok("namespace", "create", "docs", "--allowed-tools", "*")
    result = cli.run("namespace", "create", "docs", "--allowed-tools", "*")
    assert result.exit_code == USAGE
    assert "docs" in result.stderr


def test_a_prefix_of_two_tasks_names_them(cli: CommandLine) -> None:
    tasks = [cli.execute(assign(final_answer=1))["task_id"] for _ in range(17)]  # two begin with one digit
    first = next(task[0] for task in tasks if sum(other[0] == task[0] for other in tasks) > 1)
    result = cli.run("show", first)
    assert result.exit_code == USAGE
    error, hint = error_lines(result)
    assert error == f"error: task {first!r} is ambiguous"
    assert hint.startswith("hint: could be ")
    assert sum(task in hint for task in tasks) > 1


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        ("nowhere", "error: no revision 'nowhere'"),
        ("main~99", "error: revision 'main~99' goes back beyond the first commit"),
        ("0000000", "error: no revision '0000000'"),
        ("", "error: no revision ''"),
    ],
)
def test_a_revision_that_is_not_there_is_named(cli: CommandLine, revision: str, expected: str) -> None:
    task = cli.execute(assign(final_answer=1))["task_id"]
    for arguments in (["show", task, "--at", revision], ["diff", task, revision]):
        result = cli.run(*arguments)
        assert result.exit_code == USAGE
        assert error_lines(result)[0] == expected


@pytest.mark.parametrize("name", ["a..b", "with space", ".hidden", "x.lock", "a~1", ""])
def test_a_branch_git_would_refuse_is_refused(cli: CommandLine, name: str) -> None:
    task = cli.execute(assign(final_answer=1))["task_id"]
    result = cli.run("fork", task, "--at", "main", "--name", name)
    assert result.exit_code == USAGE
    assert len(cli.json("branches", task)) == 1


def test_a_branch_that_is_not_there_is_named(cli: CommandLine) -> None:
    task = cli.execute(assign(final_answer=1))["task_id"]
    commands = (
        ["resume", task, "--branch", "x"],
        ["replay", task, "--branch", "x"],
        ["delete-branch", task, "x"],
        ["decide", task, "--branch", "x", "--run"],
    )
    for arguments in commands:
        result = cli.run(*arguments)
        assert result.exit_code == USAGE
        assert error_lines(result)[:2] == ["error: no branch 'x'", "hint: branches: main"]


def test_a_database_that_is_not_migrated_says_the_command(bare_folder: Path) -> None:
    cli = CommandLine(bare_folder)
    plan = cli.plan(assign(final_answer=1))
    for arguments in (
        ["execute", "--goal", "g", "--plan", plan],
        ["tasks"],
        ["show", "x"],
        ["namespace", "list"],
    ):
        result = cli.run(*arguments)
        assert result.exit_code == USAGE
        assert error_lines(result) == ["error: the database is not migrated", "hint: run `make migrate`"]


def test_a_locked_database_is_said_to_be_locked(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.engine.BUSY_SECONDS", 0.1)
    monkeypatch.setenv("DATABASE_PATIENCE", "0.2")
    plan = cli.plan(assign(final_answer=1))
    holder = sqlite3.connect(cli.database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        result = execute(cli, plan)
    finally:
        holder.close()
    assert result.exit_code == FAILED
    error, hint = error_lines(result)
    assert error.endswith("stackvm.db is locked")
    assert "try again" in hint
    assert nothing_kept(cli)


def test_a_read_only_database_can_be_read(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    task = cli.execute(assign(final_answer=1))["task_id"]
    monkeypatch.setenv("DATABASE_URI", f"sqlite:///file:{cli.database}?mode=ro&uri=true")
    assert cli.json("show", task)["status"] == "completed"
    result = execute(cli, cli.plan(assign(final_answer=1)))
    assert result.exit_code == FAILED
    assert "is read-only" in error_lines(result)[0]
    assert len(cli.json("tasks")) == 1


def test_a_full_disk_is_said_to_be_full(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def fill(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # no page more than there are

    plan = cli.plan(assign(a=[str(number) for number in range(50_000)], final_answer=1))
    event.listen(Engine, "connect", fill)
    try:
        result = execute(cli, plan)
    finally:
        event.remove(Engine, "connect", fill)
    assert result.exit_code == FAILED
    assert "has no space left" in error_lines(result)[0]
    assert nothing_kept(cli)


@pytest.mark.parametrize("store", ["sql", "git"])
def test_a_damaged_history_is_named(cli: CommandLine, store: str) -> None:
    task = cli.execute(assign(final_answer="x" * 1_000), options=["--history", store])["task_id"]
    damage(cli, store)
    for arguments in (["show", task], ["replay", task], ["log", task]):
        result = cli.run(*arguments)
        assert result.exit_code == FAILED, arguments
        assert error_lines(result)[0].startswith("error: history is damaged: ")


def damage(cli: CommandLine, store: str) -> None:
    """Turn over bytes of everything that is kept."""
    if store == "git":
        for pack in (cli.folder / "var" / "repositories").rglob("*.pack"):
            pack.chmod(0o644)
            pack.write_bytes(turned(pack.read_bytes()))
        return
    with sqlite3.connect(cli.database) as connection:
        for number, data in connection.execute("SELECT rowid, data FROM segments").fetchall():
            connection.execute("UPDATE segments SET data = ? WHERE rowid = ?", (turned(data), number))
    connection.close()


def turned(data: bytes) -> bytes:
    """Every object of it is hit: none takes fewer bytes than the stride. Header and checksum stay."""
    changed = bytearray(data)
    for place in range(16, len(data) - 20, 16):
        changed[place] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("nonsense", "error: DATABASE_URI is not a database URL"),
        ("oracle://x/y", "error: DATABASE_URI names an unknown kind of database: 'oracle'"),
        ("sqlite:////proc/none/x.db", "error: "),
    ],
)
def test_a_wrong_database_is_named(
    cli: CommandLine, uri: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URI", uri)
    result = cli.run("tasks")
    assert result.exit_code in (USAGE, FAILED)
    assert error_lines(result)[0].startswith(expected)


def test_a_broken_tool_file_is_named_with_its_line(cli: CommandLine) -> None:
    Path("tools/broken.py").write_text("\n\nimport no_such_module\n")
    result = execute(cli, cli.plan(assign(final_answer=1)))
    assert result.exit_code == USAGE
    assert "broken.py:3" in error_lines(result)[0]


def test_a_wrong_setting_is_named(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_STEPS", "many")
    result = cli.run("tasks")
    assert result.exit_code == USAGE
    error, hint = error_lines(result)
    assert error.startswith("error: setting MAX_STEPS: ")
    assert hint == "hint: see .env.example"


def test_what_nobody_foresaw_is_one_line_as_well(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("app.services.desk.list_tasks", fail)
    result = cli.run("tasks")
    assert result.exit_code == FAILED
    error, hint = error_lines(result)
    assert error == "error: internal error: ZeroDivisionError: oh no"
    assert "--debug" in hint
    assert cli.json("tasks", code=FAILED)["error"]["type"] == "ZeroDivisionError"


def test_debug_shows_where(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from app.cli import stackvm

    monkeypatch.setattr("app.services.desk.list_tasks", lambda *arguments: json.loads("{"))
    result = CliRunner().invoke(stackvm, ["--debug", "tasks"])
    assert result.exit_code == FAILED
    assert "Traceback" in result.stderr
    assert "JSONDecodeError" in result.stderr
