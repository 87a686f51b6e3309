"""A server of the test's own: gunicorn with workers of its own on a free port, over a database of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from databases import create_schema

from app.config import Settings
from app.db.session import open_database

ROOT = Path(__file__).parent.parent

TOOLS = '''
"""Tools of the tests."""

import time

from app.tools import tool


@tool(effect="read")
def nap(seconds: float = 0.05) -> float:
    """Take a while."""
    time.sleep(seconds)
    return seconds


@tool(effect="read")
def burst(message: str = "it broke") -> str:
    """Fail."""
    raise RuntimeError(message)
'''


class Served:
    """A running server. ``client`` asks it."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str], workers: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self._environment, self._workers = environment, workers
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", "gunicorn", "app:create_app()", "--bind", f"127.0.0.1:{self.port}"]
        command += ["--config", str(ROOT / "gunicorn.conf.py"), "--workers", str(self._workers)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def stop(self) -> float:
        """Stop it gracefully; gives how many seconds that took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - begun

    def submit(self, *steps: dict[str, Any], **more: Any) -> str:
        """A task of these steps, numbered from 1: its id."""
        numbered = [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]
        answer = self.client.post("/api/tasks", json={"goal": "test", "plan": numbered, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def wait(self, task_id: str, status: str = "completed") -> dict[str, Any]:
        """Until the task has that status."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            task: dict[str, Any] = self.client.get(f"/api/tasks/{task_id}").json()
            if task["status"] == status:
                return task
            time.sleep(0.05)
        raise AssertionError(task)


@contextmanager
def serving(folder: Path, *, workers: int = 2, **settings: object) -> Iterator[Served]:
    """A server until the end of the block; it is stopped, and its log has no traceback."""
    (folder / "tools").mkdir(exist_ok=True)
    (folder / "tools" / "own.py").write_text(TOOLS)
    kept = {name: value for name, value in os.environ.items() if name.upper() not in _OURS}
    chosen = {"VAR_DIR": folder / "var", "TOOLS_PATH": folder / "tools", **settings}
    environment = {**kept, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in chosen.items()}}
    database = open_database(
        str(chosen.get("DATABASE_URI") or f"sqlite:///{_made(folder / 'var')}/stackvm.db")
    )
    create_schema(database)
    database.close()
    served = Served(folder, free_port(), environment, workers)
    try:
        yield served
    finally:
        served.client.close()
        if served.process.poll() is None:
            served.stop()
    assert "Traceback" not in served.log, served.log


_OURS = {name.upper() for name in Settings.model_fields}


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_events(lines: Iterator[str], until: Any = None) -> Iterator[dict[str, Any]]:
    """The events of a stream: ``event``, ``id`` (where it has one) and ``data``."""
    event: dict[str, Any] = {}
    for line in lines:
        if line == "":
            if "data" in event:
                event["data"] = json.loads(event["data"])
                yield event
                if until is not None and until(event):
                    return
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
