"""Processes as a shell starts them: exit codes, signals, streams, locales, two at once."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, assign, call

from app.bootstrap import workplace

WAIT_SECONDS = 30

FATAL = '''
import os
from . import tool


@tool(effect="irreversible")
def fatal() -> str:
    """Die."""
    os._exit(9)
'''


def counting_to(number: int) -> list[dict[str, Any]]:
    """Steps that count, one after the other."""
    again = {"type": "jmp", "parameters": {"condition": f"i < {number}", "jump_if_true": 2}}
    return [assign(i=0), assign(i="${{ i + 1 }}"), again, assign(final_answer="${i}")]


def wait_for_step(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    """What stderr said until ``text`` came up in it."""
    assert process.stderr is not None
    said = b""
    while text not in said:
        line = process.stderr.readline()
        assert line, said.decode()
        said += line
    return said


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_only_the_answer_is_on_stdout(cli: CommandLine) -> None:
    plan = cli.plan(call("chatter", "said"), assign(final_answer="${said}"))
    done = cli.process("execute", "--goal", "g", "--plan", plan)
    assert done.returncode == 0
    assert done.stdout == b"quiet\n"
    for printed in (b"printed\n", b"written\n", b"from a child\n"):
        assert printed in done.stderr


def test_only_the_document_is_on_stdout_with_json(cli: CommandLine) -> None:
    Path("tools/loud.py").write_text("print('imported')\n")
    plan = cli.plan(call("chatter", "said"), assign(final_answer="${said}"))
    done = cli.process("execute", "--goal", "g", "--plan", plan, "--json")
    assert json.loads(done.stdout)["final_answer"] == "quiet"
    failed = cli.process("execute", "--goal", "g", "--plan", "none.json", "--json")
    assert failed.returncode == 2
    assert json.loads(failed.stdout)["error"]["type"] == "InputError"


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_output_is_utf8_in_any_locale(cli: CommandLine, locale: dict[str, str]) -> None:
    plan = cli.plan(assign(final_answer="Grüße, 世界 ✓"))
    done = cli.process("execute", "--goal", "g", "--plan", plan, env=locale)
    assert done.stdout.decode() == "Grüße, 世界 ✓\n"
    assert "✓ completed" in done.stderr.decode()


def test_a_reader_that_has_seen_enough_is_no_error(cli: CommandLine) -> None:
    task = cli.execute(*counting_to(300))["task_id"]
    process = cli.start("log", task, "--records")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(WAIT_SECONDS) == 1
    assert said == b""


def test_a_full_stdout_is_one_line(cli: CommandLine) -> None:
    script = "from app.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script, "tool", "list"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"error: No space left on device\n"


def test_ctrl_c_once_finishes_the_step_and_pauses(cli: CommandLine) -> None:
    plan = cli.plan(call("gate", "first"), call("note", "final_answer", text="not yet"))
    process = cli.start("execute", "--goal", "g", "--plan", plan)
    said = wait_for_step(process, b"task")
    wait_until(lambda: any(task["status"] == "running" for task in cli.json("tasks")))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said += wait_for_step(process, b"pausing when the step under way is done")
    assert process.poll() is None
    Path("open").touch()
    out, err = process.communicate(timeout=WAIT_SECONDS)
    task = said.decode().split()[1]
    assert (process.returncode, out) == (130, b"")
    assert "1 gate -> first" in err.decode()
    assert "‖ paused" in err.decode()
    assert f"stackvm resume {task[:8]}" in err.decode()
    assert not Path("notes.txt").exists()
    assert cli.json("tasks")[0]["status"] == "paused"
    assert cli.json("resume", task)["final_answer"] == 1


def test_an_interrupted_run_is_resumed(cli: CommandLine) -> None:
    plan = cli.plan(call("note", "first", text="once"), call("gate", "final_answer"))
    process = cli.start("execute", "--goal", "g", "--plan", plan)
    said = wait_for_step(process, b"1 note -> first")
    time.sleep(0.3)  # until the next step is under way
    process.send_signal(signal.SIGINT)
    said += wait_for_step(process, b"Ctrl-C again stops at once")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    task = (said + err).decode().split()[1]
    assert process.returncode == 130
    assert out == b""
    assert err.decode().splitlines()[-2:] == ["interrupted", f"hint: `stackvm resume {task[:8]}` goes on"]
    assert cli.json("tasks")[0]["status"] == "paused"
    Path("open").touch()
    report = cli.json("resume", task)
    assert (report["status"], report["final_answer"]) == ("completed", "passed")
    assert Path("notes.txt").read_text() == "once\n"
    assert cli.json("replay", task)["identical"]


def test_an_interruption_is_reported_as_json(cli: CommandLine) -> None:
    process = cli.start(
        "execute", "--goal", "g", "--plan", cli.plan(call("nap", "final_answer", seconds=20)), "--json"
    )
    wait_until(lambda: any(task["status"] == "running" for task in cli.json("tasks")))
    time.sleep(0.3)  # until the step is under way
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert err == b""
    error = json.loads(out)["error"]
    assert error["type"] == "Interrupted"
    assert error["task_id"] == cli.json("tasks")[0]["task_id"]
    assert error["branch"] == "main"


@pytest.mark.parametrize("milliseconds", [10, 80, 200, 400, 600, 900])
def test_an_interruption_at_any_moment_tears_nothing(cli: CommandLine, milliseconds: int) -> None:
    plan = cli.plan(*counting_to(400))
    process = cli.start("execute", "--goal", "g", "--plan", plan, "--quiet")
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_SECONDS)
    # The first moments are Python's own, before it has come to us; the last find the run at its end.
    if b"Traceback" in err:
        assert b"in errors_end_here" not in err, err.decode()
    else:
        assert process.returncode in (130, 0, -signal.SIGINT)
    for task in cli.json("tasks"):
        assert cli.json("resume", task["task_id"])["final_answer"] == 400
        assert cli.json("replay", task["task_id"])["identical"]


def test_a_killed_run_waits_where_nobody_knows(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "600")  # that its process is dead is seen without it
    Path("tools/fatal.py").write_text(FATAL)
    plan = cli.plan(call("fatal", "final_answer"))
    assert cli.process("execute", "--goal", "g", "--plan", plan).returncode == 9
    (row,) = cli.json("tasks")
    assert row["status"] == "paused"  # its row says that it runs
    task = row["task_id"]
    result = cli.run("resume", task)
    assert result.exit_code == 3
    assert "the process ended while the call was under way" in result.stderr
    cli.ok("decide", task, "--skip", '"it worked"')
    assert cli.ok("resume", task) == "it worked\n"


def test_a_run_is_paused_and_cancelled_from_another_terminal(cli: CommandLine) -> None:
    plan = cli.plan(call("gate", "a"), call("note", "b", text="${a}"), call("gate", "final_answer"))
    process = cli.start("execute", "--goal", "g", "--plan", plan)
    task = wait_for_step(process, b"task").decode().split()[1]
    wait_until(lambda: cli.json("tasks")[0]["status"] == "running")
    pausing = cli.start("pause", task)
    wait_for_step(process, b"pausing when the step under way is done, as tester asked")
    again = cli.run("pause", task, "--json")
    assert (again.exit_code, json.loads(again.stdout)["error"]["type"]) == (2, "Conflict")
    Path("open").touch()
    out, err = pausing.communicate(timeout=WAIT_SECONDS)
    assert pausing.returncode == 0
    assert b"asked tester@" in err
    assert "✓ paused" in out.decode()
    assert process.communicate(timeout=WAIT_SECONDS)[0] == b""
    assert process.returncode == 130

    Path("open").unlink()
    process = cli.start("resume", task)
    wait_until(lambda: cli.json("tasks")[0]["status"] == "running")
    assert cli.json("cancel", task)["status"] == "cancelled"
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, out) == (5, b"")
    assert b": cancelled by tester" in err
    assert b"stackvm fork" in err
    assert cli.run("cancel", task).exit_code == 2
    assert cli.run("resume", task).exit_code == 5
    assert cli.json("replay", task)["identical"]


def test_two_processes_perform_each_step_once(cli: CommandLine) -> None:
    steps = (
        call("note", "a", text="first"),
        call("gate", "b"),
        call("note", "final_answer", text="second"),
    )
    plan = cli.plan(*steps)
    first = cli.start("execute", "--goal", "g", "--plan", plan)
    said = wait_for_step(first, b"1 note -> a")
    task = said.decode().split()[1]
    second = cli.start("resume", task)
    waiting = wait_for_step(second, b"waiting for it")
    assert b"is being run by tester@" in waiting
    Path("open").touch()
    assert first.communicate(timeout=WAIT_SECONDS)[0] == b"2\n"
    assert second.communicate(timeout=WAIT_SECONDS)[0] == b"2\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert Path("notes.txt").read_text() == "first\nsecond\n"


def test_waiting_for_a_branch_can_be_given_up(cli: CommandLine) -> None:
    task = cli.execute(call("boom", "final_answer"), code=1)["task_id"]
    with workplace() as place:
        place.leases.acquire(task, "main", "somebody@elsewhere:1", 60)
    process = cli.start("resume", task)
    wait_for_step(process, b"waiting for it")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert b"goes on" in err


def test_at_a_terminal_there_are_colours_and_a_live_line(cli: CommandLine) -> None:
    plan = cli.plan(call("nap", "final_answer", seconds=1))
    said = at_a_terminal(cli, {"TERM": "xterm-256color"}, "execute", "--goal", "g", "--plan", plan)
    assert "\x1b[32m✓" in said
    assert re.search(r"1 nap  \d\.\d s  sleeping 50%", said)
    assert "rested" in said


def test_a_terminal_without_colours_is_respected(cli: CommandLine) -> None:
    plan = cli.plan(assign(final_answer=1))
    said = at_a_terminal(cli, {"TERM": "xterm-256color", "NO_COLOR": "1"}, "verify", plan)
    assert said.splitlines()[-1] == "✓ plan.json: 1 step, no findings"
    assert "\x1b[3" not in said


def at_a_terminal(cli: CommandLine, env: dict[str, str], *arguments: str) -> str:
    """What a command shows on a terminal of its own."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", *arguments],
        cwd=cli.folder, env={**os.environ, **env}, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65_536):
            said += chunk
    except OSError:  # the other end is closed: that is how a terminal says so
        pass
    finally:
        os.close(ours)
    assert process.wait(WAIT_SECONDS) == 0, said.decode()
    return said.decode().replace("\r\n", "\n")


def test_a_database_that_is_read_while_it_is_written_stays_whole(cli: CommandLine) -> None:
    plan = cli.plan(call("gate", "a"), assign(final_answer=1))
    process = cli.start("execute", "--goal", "g", "--plan", plan, "--quiet")
    wait_until(lambda: cli.json("tasks"))
    assert cli.run("show", cli.json("tasks")[0]["task_id"]).exit_code == 0
    Path("open").touch()
    assert process.communicate(timeout=WAIT_SECONDS)[0] == b"1\n"
    connection = sqlite3.connect(cli.database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
