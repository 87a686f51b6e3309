"""An application over a fresh SQLite database, without worker threads; runs are made by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apiflask import APIFlask

sys.path.insert(0, str(Path(__file__).parent.parent / "services"))

from place import make_workplace

from app.api.application import make_application
from app.api.state import Server
from app.config import Settings
from app.db.base import TaskRow
from app.db.jobs import SqlJobs
from app.db.session import Database
from app.queue.embedded import EmbeddedQueue
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.tools.base import Tool
from app.vm.interrupts import Interrupts


@tool(effect="read")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@tool(effect="irreversible")
def send(value: Any) -> Any:
    """Can't be taken back."""
    return {"sent": value}


class LookServer:
    """The application, its workplace, and short ways to make runs and requests."""

    def __init__(self, place: Workplace, database: Database, folder: Path) -> None:
        settings = Settings(_env_file=None, var_dir=folder / "var", tools_root=folder)  # type: ignore[call-arg]
        self.place = place
        self.jobs = SqlJobs(database)
        self.app: APIFlask = make_application(Server(settings, place, self.jobs, EmbeddedQueue(self.jobs)))
        self.client = self.app.test_client()

    def run(self, *steps: dict[str, Any], **more: Any) -> TaskRow:
        """A task of these steps, run to its end."""
        row = submit_task(self.place, NewTask("a goal", json.dumps({"version": 1, "steps": steps}), **more))
        run_branch(self.place, row, "main", RunOptions(Interrupts()))
        return self.place.tasks.get(row.id)

    def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        """The JSON of an answer, which has to have that status."""
        response = self.client.get(path, query_string={k.rstrip("_"): v for k, v in query.items()})
        assert response.status_code == status, response.text
        return response.json

    def post(self, path: str, body: Any = None, status: int = 200, /, **query: Any) -> Any:
        response = self.client.post(path, json=body, query_string=query)
        assert response.status_code == status, response.text
        return response.json


@contextmanager
def look_server(folder: Path, tools: Sequence[Tool] = (), **settings: object) -> Iterator[LookServer]:
    """A server in ``folder``."""
    place, database = make_workplace(folder, [look, send, *tools], **settings)
    try:
        yield LookServer(place, database, folder)
    finally:
        database.close()
