"""The command line against a server: the same documents, words and exit codes as on its own machine."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, assign, call, error_lines
from serving import ServerProcess, free_port

STEPS = [
    assign(name="poem.txt"),
    call("read_file", "text", path="${name}"),
    call("double", "twice", on={"for_each": [1, 2, 3]}, number="${item}"),
    assign(final_answer="${text.text}"),
]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def process(cli: CommandLine) -> Iterator[ServerProcess]:
    server = ServerProcess(cli)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def there(process: ServerProcess) -> tuple[str, str]:
    """The words that make a command ask the server."""
    return ("--server", process.url)


def alike(cli: CommandLine, there: tuple[str, str], *words: str, code: int = 0) -> Any:
    """What a command says, which has to be the same here and there: document, text and exit code."""
    here_document, there_document = (cli.json(*place, *words, code=code) for place in ((), there))
    assert there_document == here_document
    here, remote = (cli.run(*place, *words) for place in ((), there))
    assert remote.stdout.replace(" ".join(("stackvm", *there)), "stackvm") == here.stdout
    assert remote.exit_code == here.exit_code
    return here_document


def nothing_of_time(document: dict[str, Any]) -> dict[str, Any]:
    names = ("task_id", "head", "usage", "waiting")
    return {name: value for name, value in document.items() if name not in names}


def test_a_plan_runs_there_and_is_told_as_here(cli: CommandLine, there: tuple[str, str]) -> None:
    plan = cli.plan(*STEPS)
    local = cli.run("execute", "--goal", "g", "--plan", plan)
    remote = cli.run(*there, "execute", "--goal", "g", "--plan", plan)
    assert (remote.exit_code, remote.stdout) == (0, local.stdout)
    assert remote.stdout == "roses\nviolets\n"

    def steps(text: str) -> list[list[str]]:
        lines = (
            line.split("  ")
            for line in text.splitlines()
            if line.startswith("✓ ") and "completed" not in line
        )
        return [[part for part in line if not part.endswith(" s")] for line in lines]

    assert [line[0] for line in steps(remote.stderr)] == [line[0] for line in steps(local.stderr)]
    assert steps(remote.stderr)[2] == steps(local.stderr)[2]  # with what came of it
    assert "✓ completed" in remote.stderr
    assert f"stackvm --server {there[1]} show " in remote.stderr


@pytest.mark.parametrize(
    ("steps", "options", "code"),
    [
        (STEPS, (), 0),
        ([call("boom", "final_answer")], (), 1),
        ([call("double", "a", number=1), assign(b=1), assign(final_answer=1)], ("--max-steps", "1"), 1),
        ([call("send", "a", to="x"), assign(final_answer=1)], (), 3),
    ],
)
def test_the_report_is_that_of_a_run_here(
    cli: CommandLine, there: tuple[str, str], steps: list[Any], options: tuple[str, ...], code: int
) -> None:
    (cli.folder / "broken").touch()
    words = ("execute", "--goal", "g", "--plan", cli.plan(*steps), *options)
    local, remote = cli.json(*words, code=code), cli.json(*there, *words, code=code)
    assert nothing_of_time(remote) == nothing_of_time(local)
    assert list(remote) == list(local)
    task = remote["task_id"]
    alike(cli, there, "show", task)
    alike(cli, there, "log", task)


def test_the_same_task_looks_the_same_from_here_and_there(cli: CommandLine, there: tuple[str, str]) -> None:
    first = cli.execute(*STEPS, options=["--response-format", '{"lang": "French"}'])
    cli.execute(call("boom", "final_answer"), code=1)
    task = first["task_id"]
    cli.ok("fork", task, "--at", "main~1", "--name", "again")
    alike(cli, there, "tasks")
    alike(cli, there, "tasks", "--limit", "1")
    assert len(alike(cli, there, "tasks", "--status", "failed")) == 1
    alike(cli, there, "show", task[:8])
    alike(cli, there, "show", task, "--at", "main~2")
    alike(cli, there, "log", task)
    alike(cli, there, "log", task, "--branch", "again", "--limit", "2")
    alike(cli, there, "log", task, "--records")


REFUSED = [
    ("show", "nothing"),
    ("show", "../tasks"),
    ("show", "a?b#c%2F"),
    ("log", "nothing"),
    ("tasks", "--status", "lost"),
    ("decide", "nothing", "--run"),
    ("pause", "nothing"),
    ("cancel", "nothing"),
    ("resume", "nothing"),
    ("execute", "--goal", "g"),
    ("execute", "--goal", "g", "--plan", "plan.json", "--revise"),
    ("execute", "--goal", " ", "--plan", "plan.json"),
    ("execute", "--goal", "g", "--plan", "bad.json"),
    ("execute", "--goal", "g", "--plan", "wrong.json"),
    ("execute", "--goal", "g", "--plan", "plan.json", "--namespace-name", "nowhere"),
    ("execute", "--goal", "g", "--plan", "missing.json"),
]


def test_what_is_refused_is_refused_alike(cli: CommandLine, there: tuple[str, str]) -> None:
    cli.plan(assign(final_answer=1))
    cli.plan(call("no_such_tool"), name="wrong.json")
    Path("bad.json").write_text('{"steps": [,]}')
    for words in REFUSED:
        local, remote = (cli.run(*place, *words) for place in ((), there))
        assert remote.exit_code == local.exit_code != 0, words
        assert remote.stderr == local.stderr
        here, remotely = (json.loads(cli.run(*place, *words, "--json").stdout) for place in ((), there))
        assert remotely == here
    assert cli.json("tasks") == []


SCRIPT = """
- {purpose: plan, usage: {input: 10, output: 3}, reply: PLAN}
- {purpose: revise, usage: {input: 20, output: 4}, reply: PLAN2}
"""


def test_a_plan_that_a_model_writes_and_revises_there(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = call("list_files", "files", path=".")
    plans = [
        {"version": 1, "steps": [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]}
        for steps in (
            [files, call("read_file", "text", path="poems.txt"), assign(final_answer="${text.text}")],
            [files, call("read_file", "text", path="poem.txt"), assign(final_answer="${text.text}")],
        )
    ]
    script = (SCRIPT * 2).replace("PLAN2", json.dumps(plans[1])).replace("PLAN", json.dumps(plans[0]))
    Path("script.yaml").write_text(script)
    monkeypatch.setenv("SCRIPTED_REPLIES", "script.yaml")
    server = ServerProcess(cli)
    server.start()
    try:
        words = ("execute", "--goal", "Read the poem")
        local, remote = (cli.json(*place, *words) for place in ((), ("--server", server.url)))
        texts = [cli.run(*place, *words).stderr for place in ((), ("--server", server.url))]
    finally:
        server.stop()
    assert local["scripted"] is remote["scripted"] is True
    assert remote["branch"] == "revision-1"
    assert remote["usage"] == local["usage"]
    (revision,) = remote["revisions"]
    assert (revision["revises"], revision["kept"]) == ("main", 1)
    alike_but_ids = ("branch", "status", "final_answer", "steps", "error", "waiting")
    assert {name: remote[name] for name in alike_but_ids} == {name: local[name] for name in alike_but_ids}
    marked = [[line[:4] for line in text.splitlines() if line[:1] in "✓✗!"] for text in texts]
    assert marked[0] == marked[1]
    assert marked[1] == ["✓ pl", "✓ 1 ", "✗ 2 ", "✓ pl", "✓ 2 ", "✓ 3 ", "✓ co"]
    assert "scripted" in texts[1]


def test_ended_runs_are_refused_what_they_are_refused_here(cli: CommandLine, there: tuple[str, str]) -> None:
    task = cli.execute(*STEPS)["task_id"]
    for words in (
        ("pause", task),
        ("cancel", task),
        ("decide", task, "--run"),
        ("show", task, "--at", "nowhere"),
        ("resume", task, "--branch", "nowhere"),
    ):
        alike(cli, there, *words, code=2)
    local, remote = (cli.json(*place, "resume", task) for place in ((), there))
    assert remote == local


def test_a_call_in_doubt_is_decided_there(cli: CommandLine, there: tuple[str, str]) -> None:
    (cli.folder / "broken").touch()
    report = cli.json(
        *there, "execute", "--goal", "g", "--plan", cli.plan(call("send", "final_answer", to="x")), code=3
    )
    task = report["task_id"]
    assert report["waiting"]["tool"] == "send"
    assert cli.json(*there, "resume", task, code=3)["waiting"] == report["waiting"]
    decided = cli.json(*there, "decide", task, "--skip", '"by hand"')
    assert (decided["choice"], decided["tool"]) == ("skip", "send")
    assert cli.json("show", task)["commit"] == decided["commit"]
    assert cli.ok(*there, "resume", task) == "by hand\n"


def test_a_run_is_paused_resumed_and_cancelled_there(cli: CommandLine, there: tuple[str, str]) -> None:
    plan = cli.plan(
        call("gate", "a"), call("nap", "b", seconds="${{ len(a) * 5 }}"), assign(final_answer="${a}")
    )
    following = cli.start(*there, "execute", "--goal", "g", "--plan", plan, "--json")
    task = _running_task(cli)
    pausing = cli.start(*there, "pause", task, "--json")
    time.sleep(1.5)
    Path("open").touch()
    out, _ = pausing.communicate(timeout=30)
    assert json.loads(out)["status"] == "paused"
    out, _ = following.communicate(timeout=30)
    assert (following.returncode, json.loads(out)["status"]) == (130, "paused")
    resumed = cli.start(*there, "resume", task, "--json")
    _running_task(cli)
    assert cli.json(*there, "cancel", task)["status"] == "cancelled"
    resumed.communicate(timeout=30)
    assert resumed.returncode == 5


def _running_task(cli: CommandLine) -> str:
    for _ in range(300):
        rows = cli.json("tasks")
        if rows and rows[0]["status"] == "running":
            task: str = rows[0]["task_id"]
            return task
        time.sleep(0.05)
    raise AssertionError("nothing runs")


def test_who_goes_away_ends_nothing(cli: CommandLine, there: tuple[str, str]) -> None:
    plan = cli.plan(call("gate", "final_answer"))
    following = cli.start(*there, "execute", "--goal", "g", "--plan", plan)
    task = _running_task(cli)
    time.sleep(0.5)
    following.send_signal(signal.SIGINT)
    out, err = following.communicate(timeout=30)
    assert (following.returncode, out) == (130, b"")
    assert b"the run goes on" in err
    assert f"stackvm --server {there[1]} resume {task[:8]}".encode() in err
    assert b"Traceback" not in err
    again = cli.start(*there, "resume", task, "--max-steps", "50")
    assert again.stderr is not None
    said = next(line for line in again.stderr if b"--max-steps" in line).decode()
    pause = f"`stackvm --server {there[1]} pause {task[:8]}` first"
    assert said.rstrip() == f"branch main is running already: --max-steps changes nothing; {pause}"
    Path("open").touch()
    out, _ = again.communicate(timeout=30)
    assert (again.returncode, out) == (0, b"passed\n")
    ended = cli.run(*there, "resume", task, "--max-steps", "50")
    assert "branch main is completed already: --max-steps changes nothing\n" in ended.stderr


def test_a_server_that_comes_back_is_followed_on(cli: CommandLine, process: ServerProcess) -> None:
    plan = cli.plan(call("nap", "a", seconds=2), call("gate", "final_answer"))
    following = cli.start("--server", process.url, "execute", "--goal", "g", "--plan", plan)
    _running_task(cli)
    process.stop()
    Path("open").touch()
    time.sleep(1)
    process.start()
    out, err = following.communicate(timeout=60)
    assert (following.returncode, out) == (0, b"passed\n"), err
    lines = [line[:4] for line in err.decode().splitlines() if line.startswith("✓ ")]
    assert lines == ["✓ 1 ", "✓ 2 ", "✓ co"]
    assert b"asking again" in err


def test_keys_are_asked_for_and_told_apart(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ServerProcess(cli, ADMIN_API_KEY="an-admin-key-of-some-length")
    server.start()
    try:
        monkeypatch.setenv("STACKVM_SERVER", server.url)
        result = cli.run("tasks")
        assert result.exit_code == 2
        assert "an API key is needed" in result.stderr
        assert "STACKVM_API_KEY" in result.stderr
        monkeypatch.setenv("STACKVM_API_KEY", "wrong")
        assert "the API key is not valid" in cli.run("tasks").stderr
        monkeypatch.setenv("STACKVM_API_KEY", "schlüssel")
        assert error_lines(cli.run("tasks"))[0].startswith("error: STACKVM_API_KEY holds characters")
        monkeypatch.setenv("STACKVM_API_KEY", "an-admin-key-of-some-length")
        assert cli.json("tasks") == []
        viewer = cli.json("--server", "", "key", "create", "looker", "--role", "viewer")["key"]
        monkeypatch.setenv("STACKVM_API_KEY", viewer)
        assert cli.json("tasks") == []
        plan = cli.plan(assign(final_answer=1))
        refused = cli.json("execute", "--goal", "g", "--plan", plan, code=2)
        assert refused["error"]["type"] == "Forbidden"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("nonsense", 2, "is no address of a server"),
        ("ftp://127.0.0.1", 2, "is no address of a server"),
        ("http://", 2, "is no address of a server"),
        ("http://127.0.0.1:99999", 2, "is no address of a server"),
        ("http://[::1", 2, "is no address of a server"),
        ("http://name:secret@127.0.0.1", 2, "holds a name or password"),
        ("http://127.0.0.1:{closed}", 1, "no server answers at"),
        ("https://127.0.0.1:{plain}", 2, "does not speak TLS"),
        ("http://127.0.0.1:{plain}", 1, "is no StackVM server"),
        ("http://127.0.0.1:{plain}/moved", 2, "sends its callers to"),
    ],
)
@pytest.mark.parametrize("words", [("tasks",), ("execute", "--goal", "g", "--plan", "plan.json")])
def test_an_address_where_no_server_is(
    bare_folder: Path, address: str, code: int, said: str, words: tuple[str, ...]
) -> None:
    cli = CommandLine(bare_folder)
    cli.plan(assign(final_answer=1))
    other = HTTPServer(("127.0.0.1", 0), _SomebodyElse)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        url = address.format(closed=free_port(), plain=other.server_port)
        result = cli.run("--server", url, *words)
    finally:
        other.shutdown()
        other.server_close()
    assert result.exit_code == code
    assert result.stdout == ""
    assert said in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.splitlines()) <= 2


class _SomebodyElse(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(301 if self.path.startswith("/moved") else 200)
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


def test_what_works_here_only_says_so(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (("gc",), ("fork", "a", "--at", "b", "--name", "c"), ("tool", "list")):
        result = cli.run("--server", "http://127.0.0.1:1", *words)
        assert result.exit_code == 2
        assert "works on this machine only" in result.stderr
    monkeypatch.setenv("STACKVM_SERVER", "http://127.0.0.1:1")
    assert cli.run("tool", "list").exit_code == 0
    assert cli.json("--server", "", "tasks") == []


def test_without_a_server_no_http_client_is_loaded(cli: CommandLine) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from app.cli import stackvm; stackvm.main(['tasks'], standalone_mode=False);"
        "sys.exit('httpx' in sys.modules or any(name.startswith('app.remote') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=cli.folder, check=False).returncode == 0
