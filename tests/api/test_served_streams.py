"""Streams of real servers, read by real clients: through restarts, by hundreds, and by the AI SDK's own parser."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from served import Served, read_events, serving

from benchmarks.listeners import listen, percentile

sys.path.insert(0, str(Path(__file__).parent.parent / "llm"))

from fake_openai import FakeOpenAI
from fake_server import Answer, running

NODE = Path(__file__).parent / "node"
LISTENERS = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), RUN_THREADS=4) as server:
        yield server


def nap(seconds: float, output: str = "x") -> dict[str, Any]:
    """A step that waits for the one before it, and takes a while."""
    duration = f"${{{{ x * 0 + {seconds} }}}}"
    parameters = {"tool_name": "nap", "tool_params": {"seconds": duration}, "output_vars": output}
    return {"type": "calling", "parameters": parameters}


def assign(**values: Any) -> dict[str, Any]:
    return {"type": "assign", "parameters": values}


def naps(count: int, seconds: float) -> list[dict[str, Any]]:
    return [assign(x=0), *[nap(seconds)] * count, assign(final_answer="done")]


def log(served: Served, task_id: str) -> list[str]:
    """The commits of a task as a stream from the beginning tells them."""
    with served.client.stream("GET", f"/api/tasks/{task_id}/events") as response:
        events = list(read_events(response.iter_lines(), lambda event: event["event"] == "live"))
    return [event["data"]["commit"] for event in events if event["event"] == "commit"]


def open_streams(served: Served) -> float:
    [line] = [
        line
        for line in served.client.get("/metrics").text.splitlines()
        if line.startswith("stackvm_event_streams")
    ]
    return float(line.split()[-1])


def wait_for(what: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_listener_is_told_every_commit_once_in_order_and_soon(served: Served) -> None:
    tasks = [served.submit(*naps(20, 0.1)) for _ in range(4)]
    begun = time.time() * 1000
    listening = asyncio.run(listen(served.url, tasks, LISTENERS, asyncio.Event()))
    logs = {task: log(served, task) for task in tasks}
    for heard in listening.heard:
        commits = [commit for _, commit, _ in heard.commits]
        assert commits == logs[heard.task_id] and len(commits) == 24
        # How late they are is measured by the benchmark; here, that none waits for the next heartbeat.
        assert max(at for _, _, at in heard.commits) - begun < 20_000
    assert percentile(listening.request_ms, 0.5) < 200
    wait_for(lambda: open_streams(served) == 0)


def test_a_listener_survives_a_restart_and_another_process_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path, RUN_THREADS=2, SHUTDOWN_SECONDS=5) as served:
        task = served.submit(*naps(70, 0.1))

        async def listen_on() -> Any:
            following = asyncio.create_task(listen(served.url, [task], 5, asyncio.Event()))
            await asyncio.sleep(1.5)
            seconds = await asyncio.to_thread(served.stop)
            await asyncio.to_thread(served.start)
            return await following, seconds

        listening, seconds = asyncio.run(listen_on())
        assert seconds < 5, "open streams must not hold up a graceful stop"
        for heard in listening.heard:
            assert [commit for _, commit, _ in heard.commits] == log(served, task)
            assert heard.connections >= 2


def test_clients_that_vanish_are_dropped_and_the_run_goes_on(served: Served) -> None:
    task = served.submit(*naps(10, 0.1))
    clients = []
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", served.port))
        client.sendall(f"GET /api/tasks/{task}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        clients.append(client)
    wait_for(lambda: open_streams(served) == 20)
    for client in clients:
        client.close()
    wait_for(lambda: open_streams(served) == 0)
    assert served.wait(task)["steps"] == 12


def test_a_client_that_takes_nothing_holds_up_nobody(served: Served) -> None:
    task = served.submit(
        assign(x=0), *[assign(x=n) for n in range(2_999)], assign(final_answer=1), max_steps=5_000
    )
    served.wait(task)
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.connect(("127.0.0.1", served.port))
    lazy.sendall(f"GET /api/tasks/{task}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    lazy.recv(100)
    begun = time.monotonic()
    assert len(log(served, task)) == 3_003
    assert time.monotonic() - begun < 10
    lazy.close()


def test_streams_leave_the_threads_free(served: Served) -> None:
    task = served.submit(assign(final_answer="x"))
    clients = []
    for _ in range(150):  # more than both workers have threads
        client = socket.create_connection(("127.0.0.1", served.port))
        client.sendall(f"GET /api/tasks/{task}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        clients.append(client)
    for client in clients:
        client.settimeout(10)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    begun = time.monotonic()
    for _ in range(20):
        assert served.client.get("/healthz").status_code == 200
    assert time.monotonic() - begun < 5
    for client in clients:
        client.close()


def test_requests_are_counted_once_whichever_process_answers(served: Served) -> None:
    def counted() -> float:
        for line in served.client.get("/metrics").text.splitlines():
            if line.startswith("stackvm_http_requests_total") and 'route="/readyz"' in line:
                return float(line.split()[-1])
        return 0.0

    before = counted()
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", served.port)) as client:  # a new one meets any worker
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while client.recv(4096):
                pass
    assert [counted() for _ in range(5)] == [before + 30] * 5


@pytest.fixture(scope="module")
def sdk() -> Path:
    """A folder with the AI SDK and our script; installed once."""
    if not shutil.which("node") or not shutil.which("npm"):
        if os.environ.get("CI"):
            raise AssertionError("node and npm are needed")
        pytest.skip("no node")
    with (NODE / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run side by side
        if not (NODE / "node_modules" / "ai").exists():
            command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=NODE, check=True, timeout=110)
    return NODE


def chat(sdk: Path, url: str, text: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the SDK's transport and parser make of a stream."""
    command = ["node", str(sdk / "read_stream.mjs"), url, text, *([json.dumps(body)] if body else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def texts(message: dict[str, Any]) -> list[str]:
    return [part["text"] for part in message["parts"] if part["type"] == "text"]


def test_use_chat_shows_a_run(served: Served, sdk: Path) -> None:
    each = {"tool_name": "nap", "for_each": [0.01, 0.02], "tool_params": {"seconds": "${item}"}}
    steps = [nap(0.6), {"type": "calling", "parameters": {**each, "output_vars": "y"}}]
    steps = [assign(x=0), *steps, assign(final_answer="${y}")]
    plan = [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]
    got = chat(sdk, served.url, "take naps", {"plan": plan})
    assert got["errors"] == []
    kinds = [chunk["type"] for chunk in got["chunks"]]
    assert kinds[0] == "start" and kinds[-1] == "finish" and kinds.count("start-step") == 4
    assert "data-live" in kinds, "what takes a while is shown while it does"
    message = got["message"]
    assert message["metadata"]["status"] == "completed"
    task = served.client.get(f"/api/tasks/{message['metadata']['task_id']}").json()
    assert (task["goal"], task["status"]) == ("take naps", "completed")
    calls = [part for part in message["parts"] if part["type"] == "dynamic-tool"]
    assert [(call["toolName"], call["state"], call["output"]) for call in calls] == [
        ("nap", "output-available", 0.6),
        ("nap", "output-available", [0.01, 0.02]),
    ]
    assert texts(message) == ["[\n  0.01,\n  0.02\n]"]


def test_use_chat_shows_what_went_wrong(served: Served, sdk: Path) -> None:
    plan = [
        {"seq_no": 1, "type": "calling", "parameters": {"tool_name": "burst", "output_vars": "final_answer"}}
    ]
    got = chat(sdk, served.url, "break", {"plan": plan})
    assert len(got["errors"]) == 1 and "it broke" in got["errors"][0]
    [call] = [part for part in got["message"]["parts"] if part["type"] == "dynamic-tool"]
    assert (call["state"], call["errorText"]) == ("output-error", "RuntimeError: it broke")
    assert got["message"]["metadata"]["status"] == "failed"


def test_use_chat_shows_the_answer_while_a_model_writes_it(tmp_path: Path, sdk: Path) -> None:
    answer = " ".join(f"word{number}" for number in range(30))
    plan = [
        {
            "seq_no": 1,
            "type": "calling",
            "parameters": {
                "tool_name": "llm_generate",
                "tool_params": {"prompt": "Write."},
                "output_vars": "final_answer",
            },
        }
    ]

    def slowly(body: dict[str, Any]) -> Answer:
        return replace(model.stream(body, answer, (7, 3), "stop", {}), pause=0.03)

    with running(FakeOpenAI()) as fake:
        assert isinstance(fake, FakeOpenAI)
        model = fake
        model.on("plan").says(json.dumps({"steps": plan}))
        model.on("generate").put(slowly)
        settings = {
            "LLM_PROVIDER": "openai",
            "LLM_MODEL": "model-x",
            "OPENAI_API_KEY": "sk-test-0123456789abcdef",
            "OPENAI_BASE_URL": model.url + "/v1",
        }
        with serving(tmp_path, **settings) as served:
            got = chat(sdk, served.url, "write")
    assert got["errors"] == [] and texts(got["message"]) == [answer]
    assert [chunk["type"] for chunk in got["chunks"]].count("text-delta") > 3


def test_a_run_goes_on_when_its_chat_goes_away(served: Served) -> None:
    plan = [{"seq_no": number, **step} for number, step in enumerate(naps(10, 0.1), 1)]
    body = {"goal": "alone", "plan": plan}
    with served.client.stream("POST", "/api/stream_execute_vm", json=body) as response:
        assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
        line = next(line for line in response.iter_lines() if line.startswith("data: "))
    task_id = json.loads(line.removeprefix("data: "))["messageId"]
    assert served.wait(task_id)["steps"] == 12
    wait_for(lambda: open_streams(served) == 0)
