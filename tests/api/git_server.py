"""A server process to clone from and to push to, and the stock git client to do it with."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from databases import create_schema

from app.db.session import open_database

TOOLS = '''
from pathlib import Path

from . import tool


@tool(effect="pure")
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@tool(effect="write")
def note(text: str) -> int:
    """Append a line to notes.txt; gives the number of lines."""
    with Path("notes.txt").open("a") as file:
        file.write(text + "\\n")
    return len(Path("notes.txt").read_text().splitlines())


@tool(effect="read")
def gate(name: str) -> str:
    """Wait until there is such a file."""
    import time
    while not Path(name).exists():
        time.sleep(0.01)
    return "passed"
'''


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class GitServer:
    """One gunicorn worker over a database and a ``VAR_DIR`` of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "VAR_DIR": str(folder / "var"),
            "TOOLS_ROOT": str(folder),
            "TOOLS_PATH": str(folder / "tools"),
            "STACKVM_USER": "tester",
            "SHUTDOWN_SECONDS": "1",
            **settings,
        }
        (folder / "tools").mkdir()
        (folder / "tools" / "own.py").write_text(TOOLS)

    def start(self) -> None:
        bind = ["--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", "8"]
        config = ["--config", str(Path(__file__).parent.parent.parent / "gunicorn.conf.py")]
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "app:create_app()", *bind, *config],
            cwd=self.folder, env=self.environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, self.said()
                time.sleep(0.1)
        raise AssertionError(self.said())

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self) -> str:
        return (self.folder / "log").read_text()

    def remote(self, task_id: str, key: str | None = None) -> str:
        place = self.url if key is None else self.url.replace("http://", f"http://git:{key}@")
        return f"{place}/git/{task_id}.git"

    def ask(self, path: str, document: Any = None, key: str | None = None, **headers: str) -> tuple[int, Any]:
        """Status and body, parsed where it is JSON."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json", **headers}
        )
        if key is not None:
            word = base64.b64encode(f"git:{key}".encode()).decode()
            request.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _body(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _body(error)

    def submit(self, steps: Sequence[Mapping[str, Any]], key: str | None = None, **more: Any) -> str:
        """A task whose run has ended; gives its id."""
        status, told = self.ask("/api/tasks", {"goal": "test", "plan": list(steps), **more}, key)
        assert status == 202, told
        self.wait(told["task_id"], key=key)
        return str(told["task_id"])

    def wait(self, task_id: str, *statuses: str, key: str | None = None) -> dict[str, Any]:
        wanted = statuses or ("completed", "failed", "waiting")
        for _ in range(600):
            told = self.ask(f"/api/tasks/{task_id}", key=key)[1]
            if told["status"] in wanted:
                assert isinstance(told, dict)
                return told
            time.sleep(0.05)
        raise AssertionError(told)


def _body(answer: Any) -> Any:
    text = answer.read()
    return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text


@contextmanager
def serving(folder: Path, database_url: str | None = None, **settings: str) -> Iterator[GitServer]:
    """A server that runs within the block."""
    url = database_url or f"sqlite:///{folder}/server.db"
    database = open_database(url)
    create_schema(database)
    database.close()
    server = GitServer(folder, {"DATABASE_URI": url, **settings})
    server.start()
    try:
        yield server
    finally:
        server.stop()
        assert "Traceback" not in server.said(), server.said()


class Clone:
    """A work tree, and the stock git client in it. Settings of the user play no part."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ann",
            "GIT_AUTHOR_EMAIL": "ann@example.org",
            "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.org",
            "LC_ALL": "C.UTF-8",
            **(env or {}),
        }
        return subprocess.run(
            ["git", *words], cwd=self.folder, env=environment, input=stdin, capture_output=True, check=False,
            timeout=100,
        )  # fmt: skip

    def ok(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """What git says where it has to work: stdout, then stderr."""
        done = self.run(*words, env=env)
        assert done.returncode == 0, done.stderr.decode()
        return (done.stdout + done.stderr).decode()

    def refused(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """What git says on its terminal where it must not work."""
        done = self.run(*words, env=env)
        assert done.returncode != 0, done.stderr.decode()
        return done.stderr.decode()

    def rev(self, revision: str = "HEAD") -> str:
        return self.ok("rev-parse", revision).strip()

    def json(self, revision: str, name: str) -> Any:
        return json.loads(self.ok("show", f"{revision}:{name}"))

    def plan(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "plan.json").read_text()))

    def commit_plan(self, plan: Any, message: str = "another plan", **env: str) -> str:
        text = plan if isinstance(plan, str) else json.dumps(plan, indent=1)
        (self.folder / "plan.json").write_text(text)
        self.ok("add", "plan.json")
        self.ok("commit", "-q", "-m", message, env=env)
        return self.rev()


def clone(url: str, folder: Path, *options: str) -> Clone:
    folder.parent.mkdir(parents=True, exist_ok=True)
    Clone(folder.parent).ok("clone", "-q", *options, url, str(folder))
    return Clone(folder)
