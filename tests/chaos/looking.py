"""What readers see of a history: from processes of their own, by the product's own ways of reading."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.bootstrap import workplace
from app.db.base import TaskRow
from app.errors import StackVMError
from app.history.base import Store
from app.history.repository import Repository
from app.services.tasks import open_repository
from app.services.workplace import Workplace

SEEN: Final = "seen"
"""The file with the heads that a reader saw while a run went on."""

_PAUSE_SECONDS: Final = 0.004


@dataclass(frozen=True, slots=True)
class Sight:
    """A task as it can be read: branch → head, and every commit that is reached from there."""

    task_id: str
    branch: str
    status: str
    heads: dict[str, str] = field(default_factory=dict)
    commits: frozenset[str] = frozenset()
    linear: bool = True


def watch(goal: str) -> None:
    """Note every head that can be read, until the process is killed."""
    descriptor = os.open(SEEN, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    known: set[bytes] = set()
    with workplace(check_schema=False) as place:
        while True:
            with _task(place, goal) as row:
                if row is not None:
                    store = place.stores[row.store].open(row.id)
                    break
            time.sleep(_PAUSE_SECONDS)
        while True:
            for oid in _heads(store) - known:
                os.write(descriptor, f"{oid.hex()}\n".encode())
                known.add(oid)
            time.sleep(_PAUSE_SECONDS)


def _heads(store: Store) -> set[bytes]:
    try:
        return set(store.refs().values())
    except StackVMError:
        return set()  # a reader that is refused saw nothing


@contextmanager
def _task(place: Workplace, goal: str) -> Iterator[TaskRow | None]:
    yield next((row for row in place.tasks.list(limit=20) if row.goal == goal), None)


def seen(folder: Path) -> set[str]:
    """The heads that readers saw."""
    path = folder / SEEN
    return set(path.read_text().split()) if path.exists() else set()


def sight(goal: str) -> Sight | None:
    """The task with that goal as it can be read now; ``None`` where there is none yet. Raises what reading raises."""
    with workplace(check_schema=False) as place, _task(place, goal) as row:
        if row is None:
            return None
        with open_repository(place, row) as repository:
            heads = repository.branches()
            commits: set[str] = set()
            linear = True
            for head in heads.values():
                linear = _read_line(repository, head, commits) and linear
        named = {name: oid.hex() for name, oid in heads.items()}
        return Sight(row.id, row.current_branch, row.status, named, frozenset(commits), linear)


def _read_line(repository: Repository, head: bytes, commits: set[str]) -> bool:
    """Read the line of history to its first commit; whether every commit has one parent, and the first a goal."""
    kinds = []
    for commit in repository.log(head):
        commits.add(commit.id)
        kinds.append(commit.kind)
        if len(commit.parents) > 1:
            return False
    repository.reader.snapshot(repository.commit(head).tree)
    return kinds[-1] == "goal" and kinds.count("goal") == 1
