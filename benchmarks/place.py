"""A workplace as bootstrap builds it, on an empty database of its own: what users get, without their settings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from app.bootstrap import workplace
from app.config import Settings
from app.db.base import TaskRow
from app.db.models import metadata
from app.db.session import open_database
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.tools.base import Tool
from benchmarks.disk import folder_bytes

MAX_STEPS: Final = 1_000_000
DATABASE: Final = "stackvm.db"


@dataclass(frozen=True, slots=True)
class Place:
    """``folder`` holds what is stored on disk: the SQLite database, the git repositories."""

    workplace: Workplace
    folder: Path

    def submit(self, steps: Sequence[dict[str, Any]]) -> TaskRow:
        """A new task, its plan checked and committed, not run."""
        return submit_task(self.workplace, NewTask(goal="benchmark", plan=json.dumps(steps)))

    def disk_bytes(self) -> int:
        """Bytes of the files, SQLite's log folded in."""
        path = self.folder / DATABASE
        if path.exists():
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return folder_bytes(self.folder)

    def store_bytes(self, task: TaskRow) -> int:
        """What the store itself says the task takes."""
        store = self.workplace.stores[task.store].open(task.id)
        try:
            return store.stored_bytes()
        finally:
            store.close()


@contextmanager
def new_place(
    folder: Path,
    *,
    url: str = "",
    history: Literal["sql", "git"] = "sql",
    durability: Literal["group", "step"] = "group",
    tools: Sequence[Tool] = (),
) -> Iterator[Place]:
    """A place in ``folder``, whose database is ``url`` (empty, without tables) or an SQLite file there."""
    settings = Settings(
        _env_file=None,
        database_uri=url,
        history_backend=history,
        var_dir=folder,
        tools_root=folder,
        tools_path=(),
        max_steps=MAX_STEPS,
        durability=durability,
    )
    _create_tables(settings.database_url)
    with workplace(settings, check_schema=False) as wired:
        registry = wired.load_registry()
        for each in tools:
            registry.add(each)
        yield Place(wired, folder)


def _create_tables(url: str) -> None:
    database = open_database(url)
    try:
        with database.write() as connection:
            metadata.create_all(connection)
    finally:
        database.close()
