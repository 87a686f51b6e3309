"""A workplace on an empty SQLite database, with the tools a test brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from databases import create_schema

from app.bootstrap import build_workplace, open_presence
from app.config import Settings
from app.db.session import Database, open_database
from app.services.workplace import Workplace
from app.tools.base import Tool
from app.tools.registry import Registry

START_MS = 1_700_000_000_000


def make_workplace(
    folder: Path, tools: Sequence[Tool] = (), **settings: object
) -> tuple[Workplace, Database]:
    """A new database in ``folder`` (or the migrated one that ``database_uri`` names) and everything wired to it;
    task ids and the clock are predictable."""
    chosen = Settings(_env_file=None, var_dir=folder / "var", tools_root=folder, **settings)  # type: ignore[call-arg]
    database = open_database(chosen.database_url)
    if "database_uri" not in settings and not (folder / "var" / "stackvm.db").exists():
        create_schema(database)
    registry = Registry()
    for each in tools:
        registry.add(each)
    numbers = count(1)
    place = replace(
        build_workplace(chosen, database, open_presence(chosen)),
        load_registry=lambda: registry,
        clock_ms=ticking(),
        new_task_id=lambda: f"{next(numbers):08d}-0000-4000-8000-000000000000",
        person="tester",
    )
    return place, database


def ticking(start_ms: int = START_MS) -> Callable[[], int]:
    """A clock that advances by 10 ms at each look."""
    looks = count()
    return lambda: start_ms + next(looks) * 10
