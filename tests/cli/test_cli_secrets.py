"""A run with secrets, from end to end: afterwards the values are looked for in all that was written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from command_line import CommandLine, call
from leaks import trace_of

TOKEN = 'tk-9Fz3"Qm7/Xc1+Lw5Rb8 Ué2Hd6Vn4Ky'
PASSWORD = "correct-horse-battery-staple-42"
LEAKY = '''
import base64
import json
import logging
import urllib.parse

from . import ToolContext, tool


@tool(effect="read")
def fetch(url: str, headers: dict[str, str], context: ToolContext):
    """Answers with everything it was asked with, as a careless server does."""
    token = headers["X-Token"]
    context.progress(f"GET {url} with {token}", 0.5)
    context.logger.warning("sending %s", headers)
    logging.getLogger("stackvm.tools.fetch.wire").error(">> %s", json.dumps(headers))
    query = urllib.parse.urlencode({"token": token})
    basic = base64.b64encode(f"me:{token}".encode()).decode()
    return {
        "status": 200 if token.startswith("tk-9Fz3") else 401,
        "url": f"{url}?{query}",
        "headers": {**headers, "Authorization": f"Basic {basic}"},
        "body": json.dumps(json.dumps({"you sent": token})),
        token: [token, {"hex": token.encode().hex(), token + "!": len(token)}],
    }


@tool(effect="write", retry=2)
def store(password: str, context: ToolContext):
    """Fails with what it was given."""
    context.logger.info("storing")
    try:
        raise KeyError(password)
    except KeyError as error:
        context.logger.exception("no luck with %r", password)
        raise RuntimeError(f"could not store {password}: {password[:25]}...") from error


@tool(effect="irreversible")
def pay(account: str):
    """Loses the line in the middle."""
    raise ConnectionError(f"line lost: {account}")


@tool(effect="pure")
def length(texts: list[str]) -> list[int]:
    """How long the texts are."""
    return [len(text) for text in texts]
'''


@pytest.fixture
def leaky(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """With one secret in ``.env`` and one in the environment."""
    (cli.folder / "tools" / "leaky.py").write_text(LEAKY)
    (cli.folder / ".env").write_text(f"STACKVM_SECRET_PASSWORD={PASSWORD}\n")
    monkeypatch.setenv("STACKVM_SECRET_TOKEN", TOKEN)
    return cli


class Scanned:
    """Commands, and all that they wrote."""

    def __init__(self, cli: CommandLine) -> None:
        self.cli = cli
        self.said: list[bytes] = []

    def process(self, *arguments: str, code: int = 0) -> bytes:
        """A command as a process: what it logs goes where it goes."""
        started = self.cli.start(*arguments)
        out, err = started.communicate(timeout=60)
        assert started.returncode == code, err.decode()
        self.said += [out, err]
        return out

    def run(self, *arguments: str, code: int = 0) -> str:
        result = self.cli.run(*arguments)
        assert result.exit_code == code, result.output
        self.said += [result.stdout_bytes, result.stderr_bytes]
        return result.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def written(self, task: str) -> Iterator[bytes]:
        """Every object of the history, every file of the data folder, all that was said."""
        yield from self.said
        target = self.cli.folder / f"clone-{task[:8]}"
        self.run("clone", task, str(target))
        objects = ["git", "-C", str(target), "cat-file", "--batch-all-objects", "--batch"]
        everything = subprocess.run(objects, capture_output=True, check=True).stdout
        assert b"secret:" in everything
        yield everything
        for path in (self.cli.folder / "var").rglob("*"):
            if path.is_file():
                yield path.read_bytes()

    def assert_nothing_leaked(self, task: str) -> None:
        for written in self.written(task):
            for value in (TOKEN, PASSWORD):
                trace = trace_of(value, written)
                assert trace is None, f"{trace} in {written!r:.2000}"


@pytest.mark.parametrize("backend", ["sql", "git"])
def test_after_a_run_no_value_is_found_anywhere(leaky: CommandLine, backend: str) -> None:
    scanned = Scanned(leaky)
    headers = {"X-Token": "secret:TOKEN", "X-Note": "Bearer secret:TOKEN"}
    plan = leaky.plan(
        call("fetch", "one", url="https://a.example", headers=headers),
        call(
            "fetch",
            "many",
            url="${item}",
            headers=headers,
            on={"for_each": ["https://b.example", "https://c.example"]},
        ),
        call("length", "sizes", texts=["secret:TOKEN", "secret:PASSWORD", "secret:no"]),
        call("store", "never", password="secret:PASSWORD", on={"on_error": "continue"}),
        call("fetch", "again", url="${error.message}", headers="${one.headers}"),
        call("pay", "final_answer", account="secret:PASSWORD"),
    )
    command = ["execute", "--goal", "test", "--plan", plan, "--history", backend]
    scanned.process(*command, code=3)
    report = scanned.json(*command, code=3)
    task = report["task_id"]
    assert report["waiting"]["inputs"] == {"account": "secret:PASSWORD"}
    variables = scanned.json("show", task)["variables"]
    assert variables["sizes"] == [len(TOKEN), len(PASSWORD), len("secret:no")]
    assert variables["one"]["status"] == 200
    assert variables["one"]["headers"]["X-Token"] == "secret:TOKEN"
    assert variables["one"]["headers"]["X-Note"] == "Bearer secret:TOKEN"
    assert [each["status"] for each in variables["many"]] == [200, 200]
    assert variables["again"]["status"] == 200  # what was masked was passed on
    assert "could not store secret:PASSWORD: secret:PASSWORD..." in variables["error"]["message"]
    for command in (["show"], ["log"], ["log", "--json"], ["replay"], ["diff", "main~1", "main"]):
        scanned.run(command[0], task, *command[1:])
    scanned.run("decide", task, "--run")
    scanned.run("resume", task, code=3)
    scanned.run("decide", task, "--fail")
    scanned.run("resume", task, code=1)
    scanned.run("replay", task)
    scanned.assert_nothing_leaked(task)


def test_what_is_said_at_a_run_names_the_secret(leaky: CommandLine) -> None:
    scanned = Scanned(leaky)
    plan = leaky.plan(
        call("fetch", "final_answer", url="https://a.example", headers={"X-Token": "secret:TOKEN"})
    )
    scanned.process("execute", "--goal", "test", "--plan", plan)
    said = b"".join(scanned.said).decode()
    assert "sending {'X-Token': 'secret:TOKEN'}" in said
    assert trace_of(TOKEN, said) is None


def test_a_call_by_hand_hides_it_too(leaky: CommandLine) -> None:
    scanned = Scanned(leaky)
    value = scanned.json("tool", "call", "length", '{"texts": ["secret:TOKEN", "secret:PASSWORD"]}')["value"]
    assert value == [len(TOKEN), len(PASSWORD)]
    scanned.run("tool", "call", "fetch", '{"url": "https://x", "headers": {"X-Token": "secret:TOKEN"}}')
    scanned.run("tool", "call", "pay", '{"account": "secret:PASSWORD"}', code=1)
    assert trace_of(TOKEN, b"".join(scanned.said)) is None
    assert trace_of(PASSWORD, b"".join(scanned.said)) is None


def test_a_secret_that_is_not_set_is_named_in_one_line(leaky: CommandLine) -> None:
    result = leaky.run("tool", "call", "pay", '{"account": "secret:ACCOUNT"}')
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: pay: secret:ACCOUNT: STACKVM_SECRET_ACCOUNT is not set (put it into .env or the environment)"
    ]
    report = leaky.execute(call("pay", "final_answer", account="secret:ACCOUNT"), code=1)
    assert "STACKVM_SECRET_ACCOUNT is not set" in report["error"]["message"]
    assert report["waiting"] is None


@pytest.mark.parametrize("command", [["tool", "list"], ["tasks"], ["execute", "--goal", "x"]])
def test_a_secret_that_can_not_be_hidden_is_refused_in_one_line(
    cli: CommandLine, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKVM_SECRET_PIN", "1234")
    result = cli.run(*command)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0].startswith("error: STACKVM_SECRET_PIN: too short")
    assert "1234" not in result.output


def test_the_doctor_shows_no_secret(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACKVM_SECRET_TOKEN", TOKEN)
    monkeypatch.setenv("AUTOFLOW_API_KEY", PASSWORD)
    assert all(check["ok"] for check in cli.json("doctor"))
    monkeypatch.setenv("STACKVM_SECRET_PIN", "1234")
    result = cli.run("doctor")
    assert "✗ settings" in result.output
    assert "STACKVM_SECRET_PIN" in result.output
    for shown in (result.output, json.dumps(cli.json("doctor", code=1))):
        assert trace_of(TOKEN, shown) is None
        assert PASSWORD not in shown
        assert "1234" not in shown


def test_a_file_that_holds_secrets_can_be_read_without_them(leaky: CommandLine) -> None:
    text = leaky.execute(call("read_file", {"final_answer": "text"}, path=".env"))["final_answer"]
    assert text == "STACKVM_SECRET_PASSWORD=secret:PASSWORD\n"


def test_tools_that_can_not_work_say_so(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = {each["tool"]: each for each in cli.json("tool", "list")}
    assert "KB_ID is not set" in documents["vector_search"]["unavailable"]
    assert documents["read_file"]["unavailable"] is None
    assert "unavailable: AUTOFLOW_BASE_URL is not set" in cli.ok("tool", "list")
    assert "unavailable  AUTOFLOW_BASE_URL is not set" in cli.ok("tool", "show", "vector_search")
    report = cli.execute(call("vector_search", "final_answer", query="x"), code=1)
    assert "AutoFlow is not configured: AUTOFLOW_BASE_URL is not set" in report["error"]["message"]
    for name, value in {"BASE_URL": "http://127.0.0.1:9", "API_KEY": "ta-1234567"}.items():
        monkeypatch.setenv(f"AUTOFLOW_{name}", value)
    monkeypatch.setenv("KB_ID", "3")
    assert {each["unavailable"] for each in cli.json("tool", "list")} == {None}
    monkeypatch.setenv("KB_ID", "three")
    assert "KB_ID" in cli.run("tool", "list").stderr
