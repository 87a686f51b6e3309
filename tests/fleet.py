"""Worker processes over a database and a broker, and a world outside that tells what their tools really did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from served import ROOT
from sqlalchemy import select

from app.bootstrap import ServerParts, open_server
from app.config import Settings
from app.db.models import jobs
from app.db.session import Database, open_database
from app.services.submissions import Submission, submit_goal
from app.services.tasks import NewTask, find_task

PATIENCE = 90.0

TOOLS = '''
"""Tools that tell the world outside."""

import json
import os
import signal
import time
from pathlib import Path

from app.tools import ToolContext, tool


def said(what: str, context: ToolContext) -> None:
    line = json.dumps([context.task_id, context.step, what, context.idempotency_key, os.getpid(), time.monotonic()])
    handle = os.open(Path(__file__).parent.parent / "world", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode() + b"\\n")
    os.close(handle)


@tool(effect="write")
def put(seconds: float, context: ToolContext, after: str = "") -> str:
    """Write something, which takes a while."""
    said("begun", context)
    time.sleep(seconds)
    said("done", context)
    return "x"


@tool(effect="read")
def look(seconds: float, context: ToolContext, after: str = "") -> str:
    """Look something up, which takes a while."""
    time.sleep(seconds)
    return "x"


@tool(effect="read")
def poison(context: ToolContext) -> str:
    """End the process that runs this."""
    said("poison", context)
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)
    return ""
'''


def chain(steps: int, seconds: float, tool: str = "put") -> list[dict[str, Any]]:
    """Calls of which each needs what the one before gave, and an answer."""
    plan: list[dict[str, Any]] = []
    for number in range(1, steps + 1):
        after = f"${{v{number - 1}}}" if number > 1 else ""
        parameters = {"tool_name": tool, "tool_params": {"seconds": seconds, "after": after}}
        plan.append(
            {"seq_no": number, "type": "calling", "parameters": {**parameters, "output_vars": f"v{number}"}}
        )
    plan.append({"seq_no": steps + 1, "type": "assign", "parameters": {"final_answer": 42}})
    return plan


POISON = [
    {"seq_no": 1, "type": "assign", "parameters": {"a": 1}},
    {"seq_no": 2, "type": "calling", "parameters": {"tool_name": "poison", "output_vars": "b"}},
    {"seq_no": 3, "type": "assign", "parameters": {"final_answer": 1}},
]


class Fleet:
    """What was submitted, and the processes that run it."""

    def __init__(self, folder: Path, url: str, broker: str, **settings: object) -> None:
        self.folder, self.broker = folder, broker
        (folder / "tools").mkdir()
        (folder / "tools" / "own.py").write_text(TOOLS)
        queue = {"QUEUE": "celery", "CELERY_BROKER_URL": broker} if broker else {"QUEUE": "embedded"}
        chosen = {"DATABASE_URI": url, "VAR_DIR": folder / "var", "TOOLS_PATH": folder / "tools", **queue}
        self.settings = {
            name: str(value) for name, value in {**chosen, "LEASE_SECONDS": 3, **settings}.items()
        }
        self.database: Database = open_database(url)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.server: ServerParts | None = None
        self.ids: list[str] = []

    def open_server(self) -> ServerParts:
        """What takes submissions, in this process."""
        fields = {name.lower(): value for name, value in self.settings.items()}
        self.server = open_server(Settings(_env_file=None, **{**fields, "run_threads": 0}))  # type: ignore[call-arg]
        return self.server

    def submit(self, plan: list[dict[str, Any]], count: int = 1, **more: Any) -> list[str]:
        """Tasks of that plan: their ids."""
        server = self.server or self.open_server()
        new = NewTask("test", json.dumps(plan), **more)
        made = [submit_goal(server.workplace, server.queue, Submission(new)).id for _ in range(count)]
        self.ids += made
        return made

    def start(self, *arguments: str, before: str = "", **settings: object) -> subprocess.Popen[bytes]:
        """A worker. ``before``: Python that runs in it first."""
        ours = {name.upper() for name in Settings.model_fields}
        environment = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        environment |= {"PYTHONPATH": str(ROOT), **self.settings}
        environment |= {name: str(value) for name, value in settings.items()}
        code = f"{before}\nfrom app.cli import main\nmain()"
        command = [sys.executable, "-c", code, "worker", *arguments]
        out = self.folder / f"out-{len(self.processes)}"
        with (self.folder / "log").open("ab") as log, out.open("wb") as said:
            process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=said, stderr=log)
        self.processes.append(process)
        return process

    def living(self) -> list[subprocess.Popen[bytes]]:
        return [each for each in self.processes if each.poll() is None]

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def said(self) -> list[Any]:
        """The documents of those that ended in peace, with --json."""
        texts = [path.read_text() for path in sorted(self.folder.glob("out-*"))]
        return [json.loads(text) for text in texts if text]

    def status(self, task_id: str) -> str:
        assert self.server is not None
        return find_task(self.server.workplace, task_id).status

    def owners(self) -> dict[int, str | None]:
        """Number → owner, as the table has it."""
        asking = select(jobs.c.number, jobs.c.owner)
        return dict(self.database.ask(lambda connection: connection.execute(asking).tuples().all()))

    def takeovers(self) -> int:
        """Of the jobs that are there."""
        asking = select(jobs.c.takeovers)
        return sum(self.database.ask(lambda connection: connection.execute(asking).scalars().all()))

    def wait_until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, (Counter(map(self.status, self.ids)), self.log[-3000:])
            time.sleep(0.05)

    def wait(self, status: str = "completed", seconds: float = PATIENCE) -> None:
        """Until all that was submitted has that status."""
        self.wait_until(lambda: all(self.status(each) == status for each in self.ids), seconds)

    def world(self, what: str) -> Counter[tuple[str, int]]:
        """How often that was said at each step of each task."""
        return Counter((task, step) for task, step, kind, *_ in self._lines() if kind == what)

    def check(self, steps: int, *, killed: bool = False) -> None:
        """Every step was done and committed once; ``killed``: a call that was under way is made again, by its key."""
        assert self.server is not None
        done = self.world("done")
        assert set(done) == {(task, step) for task in self.ids for step in range(1, steps + 1)}
        assert killed or set(done.values()) == {1}, {at: n for at, n in done.items() if n > 1}
        keys = {(task, step, key) for task, step, _, key, *_ in self._lines()}
        assert len(keys) == len(done), "a call had two keys"
        for task_id in self.ids:
            assert find_task(self.server.workplace, task_id).steps == steps + 1

    def _lines(self) -> Iterator[list[Any]]:
        path = self.folder / "world"
        for line in path.read_text().splitlines() if path.exists() else []:
            yield json.loads(line)

    def stop(self) -> None:
        """End all that was started."""
        for process in self.living():
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        if self.server is not None:
            self.server.close()
        self.database.close()


@contextmanager
def fleet_on(folder: Path, url: str, broker: str, **settings: object) -> Iterator[Fleet]:
    """A fleet until the end of the block; no worker of it has told of a fault of ours."""
    fleet = Fleet(folder, url, broker, **settings)
    try:
        yield fleet
    finally:
        fleet.stop()
    assert "Traceback" not in fleet.log and "fault of ours" not in fleet.log, fleet.log
