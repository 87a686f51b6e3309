"""A task's history for the stock git client: what it may see, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from app.db.base import TaskRow
from app.errors import NotFound
from app.history.receive_pack import advertise_push
from app.history.refnames import HEADS
from app.history.repository import Repository
from app.history.upload_pack import advertise_fetch, answer
from app.services.tasks import open_repository
from app.services.workplace import Workplace

_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Served:
    """A task that the actor may look at, and where its refs stood when it asked."""

    task: TaskRow
    refs: Mapping[str, bytes]


def find_served(workplace: Workplace, task_id: str) -> Served:
    """The task with exactly that id. Raises ``NotFound``, also for one of another namespace."""
    task = find_visible(workplace, task_id)
    with open_repository(workplace, task) as repository:
        return Served(task, _refs(repository))


def find_visible(workplace: Workplace, task_id: str) -> TaskRow:
    """As :func:`find_served`, its history not looked at."""
    task = workplace.tasks.get(task_id)
    if not workplace.actor.sees(task.namespace):
        raise NotFound("task", task_id)
    return task


def offer_fetch(workplace: Workplace, task_id: str, version: int) -> bytes:
    """What a client that will fetch is told first. Raises ``NotFound``."""
    served = find_served(workplace, task_id)
    return advertise_fetch(served.refs, served.task.current_branch, version)


def offer_push(workplace: Workplace, task_id: str) -> bytes:
    """What a client that will push is told first. Raises ``NotFound``, ``Forbidden``."""
    served = find_served(workplace, task_id)
    workplace.actor.require("operator")
    return advertise_push(served.refs, served.task.current_branch)


def fetch(workplace: Workplace, task_id: str, version: int, request: BinaryIO) -> Iterator[bytes]:
    """What a client lacks, as it is read: no connection is held between two parts.

    The first part is made before this returns. Raises ``NotFound``, ``InputError``, ``DamagedHistory``.
    """
    parts = _parts(workplace, find_served(workplace, task_id), version, request)
    return _begun(parts)


def _parts(workplace: Workplace, served: Served, version: int, request: BinaryIO) -> Iterator[bytes]:
    with open_repository(workplace, served.task) as repository:
        yield from answer(repository.store, served.refs, served.task.current_branch, version, request)


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, the first of them made already: what goes wrong with the request shows before an answer."""
    first = next(parts, b"")

    def rest() -> Iterator[bytes]:
        with closing(parts):  # type: ignore[type-var]
            yield first
            yield from parts

    return rest()


def _refs(repository: Repository) -> dict[str, bytes]:
    refs = repository.store.refs()
    return {name: oid for name, oid in refs.items() if name.startswith((HEADS, _TAGS))}
