"""Ctrl-C twice while a model is asked: the command ends at once, whatever the server does, and the run can go on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, assign, call
from fake_openai import EVENTS, FakeOpenAI, chunk
from fake_server import Answer

SOON = 4.0
"""It takes 0.4 s, interpreter's exit included; the machine may be busy."""
VERDICT = json.dumps({"result": True, "explanation": "so"})

SERVERS: dict[str, Callable[[FakeOpenAI], object]] = {
    "silent": lambda server: server.put_all([Answer(wait=60)] * 9),
    "slow": lambda server: server.put_all(
        [Answer(pieces=[chunk({"content": "x "})] * 500, headers=EVENTS, pause=0.2)] * 9
    ),
    "busy": lambda server: [server.refuses(429, "later", headers={"retry-after": "60"}) for _ in range(9)],
}

TEXT = call("llm_generate", "final_answer", prompt="Sing")
STEPS: dict[str, list[dict[str, Any]] | None] = {
    "planning": None,
    "judging": [
        {
            "type": "jmp",
            "parameters": {"condition_prompt": "So?", "jump_if_true": 2, "jump_if_false": 2},
        },
        assign(final_answer="sung"),
    ],
    "a text": [TEXT],
    "a text with a timeout": [call("llm_generate", "final_answer", on={"timeout": 90}, prompt="Sing")],
    "eight texts": [
        call("llm_generate", "all", on={"for_each": list("abcdefgh")}, prompt="${item}"),
        assign(final_answer="${{ all[0] }}"),
    ],
}


def interrupted(
    process: subprocess.Popen[bytes], begun: Callable[[], bool], times: int = 2
) -> tuple[bytes, bytes]:
    """Press Ctrl-C once it has begun, so many times; what the command had to say."""
    deadline = time.monotonic() + 30
    while not begun():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    started = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - started < SOON
    assert process.returncode == 130
    assert b"Traceback" not in err
    return out, err


@pytest.mark.parametrize(
    ("what", "how"),
    [*((what, "silent") for what in STEPS), ("planning", "slow"), ("a text", "slow"),
     ("planning", "busy"), ("eight texts", "busy")],
)  # fmt: skip
def test_a_command_ends_at_once_and_its_run_goes_on_later(
    cli: CommandLine, server: FakeOpenAI, what: str, how: str
) -> None:
    steps = STEPS[what]
    SERVERS[how](server)
    plan = ["--plan", cli.plan(*steps)] if steps else []
    process = cli.start("execute", "--goal", "sing", *plan)
    calls = 8 if what == "eight texts" else 1
    _, err = interrupted(process, lambda: len(server.asked) >= calls)
    (task,) = cli.json("tasks")
    assert err.decode().splitlines()[-2:] == [
        "interrupted",
        f"hint: `stackvm resume {task['task_id'][:8]}` goes on",
    ]
    assert task["status"] == "paused"

    server.forget()
    if steps is None:
        server.says(json.dumps([{"seq_no": 1, **assign(final_answer="sung")}]))
    for _ in range(calls):
        server.says(VERDICT if what == "judging" else "sung")
    report = cli.json("resume", task["task_id"])
    assert (report["status"], report["final_answer"]) == ("completed", "sung")
    assert cli.json("replay", task["task_id"])["identical"]


def test_planning_without_a_run_ends_at_once(cli: CommandLine, server: FakeOpenAI) -> None:
    SERVERS["silent"](server)
    out, err = interrupted(cli.start("plan", "--goal", "sing"), lambda: len(server.asked) > 0, times=1)
    assert out == b""
    assert err.decode().splitlines() == ["planning  m", "interrupted"]


def test_a_name_that_is_never_resolved_keeps_nobody(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The system's resolver can't be interrupted either; a file of tools is a place to put one that hangs.
    Path("tools/names.py").write_text(
        "import socket, time\nfrom pathlib import Path\n\n"
        "def never(*arguments, **options):\n    Path('asked').touch()\n    time.sleep(60)\n\n"
        "socket.getaddrinfo = never\n"
    )
    monkeypatch.setenv("LLM_PROVIDER", "ollama")
    monkeypatch.setenv("LLM_MODEL", "m")
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://models.invalid")
    out, _ = interrupted(cli.start("execute", "--goal", "sing", "--json"), Path("asked").exists)
    assert json.loads(out)["error"]["type"] == "Interrupted"
    assert cli.json("tasks")[0]["status"] == "paused"
