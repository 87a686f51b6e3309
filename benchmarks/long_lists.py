"""Long lists of a running server, page by page: the first must not be slow, and none slower than it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from statistics import median
from time import perf_counter
from typing import Any, Final

from served import Served
from sqlalchemy import insert

from app.db.models import tasks
from app.db.session import open_database
from benchmarks.figures import Figure

ServerOf = Callable[..., AbstractContextManager[Served]]

_ASKED: Final = 5
"""How often each measured page is asked for; its figure is the median."""
_PLACES: Final = 5
"""How many pages behind the first are measured."""
_LIMIT: Final = 100


def many_tasks(server: ServerOf, options: argparse.Namespace) -> Iterator[Figure]:
    """``GET /api/tasks``. The rows are copies of one real task: lists read no history."""
    with server("sqlite") as served:
        task_id = served.submit({"type": "assign", "parameters": {"final_answer": 42}})
        served.wait(task_id)
        _copy_task(f"sqlite:///{served.folder}/var/stackvm.db", task_id, options.tasks - 1)
        yield from _pages(served, "/api/tasks", options.tasks, f"list of {options.tasks} tasks", options)


def long_log(server: ServerOf, options: argparse.Namespace) -> Iterator[Figure]:
    """``GET /api/tasks/{id}/commits`` of one long run."""
    steps: list[dict[str, Any]] = [
        {"type": "assign", "parameters": {"n": 0}},
        {"type": "assign", "parameters": {"n": "${{ n + 1 }}"}},
        {"type": "jmp", "parameters": {"condition": "n < 1000000", "jump_if_true": 2}},
        {"type": "assign", "parameters": {"final_answer": 42}},
    ]
    with server("sqlite", MAX_STEPS=options.commits) as served:
        task_id = served.submit(*steps)
        served.wait(task_id, "failed")
        path = f"/api/tasks/{task_id}/commits"
        yield from _pages(served, path, options.commits, f"log of {options.commits} commits", options)


def _pages(served: Served, path: str, count: int, name: str, options: argparse.Namespace) -> Iterator[Figure]:
    first, later, last = [], [], []
    for _ in range(options.repeats):
        first.append(_page_milliseconds(served, path, None))
        measured = {(count // _LIMIT - 1) * place // _PLACES for place in range(1, _PLACES + 1)}
        cursor, pages = None, []
        for number in range(count // _LIMIT):
            if number in measured:
                pages.append(_page_milliseconds(served, path, cursor))
            cursor = _page(served, path, cursor)["next"]
        later.append(median(pages))
        last.append(pages[-1])
    yield Figure(name, f"first page of {_LIMIT}", first, "ms", 100.0)
    # Other work on the machine moves a figure by more than pages differ: half as much again is no slower.
    yield Figure(name, "later pages", later, "ms", 1.5 * median(first))
    yield Figure(name, "the last page", last, "ms", 1.5 * median(first))


def _page_milliseconds(served: Served, path: str, cursor: str | None) -> float:
    taken = []
    for _ in range(_ASKED):
        begun = perf_counter()
        _page(served, path, cursor)
        taken.append(1000 * (perf_counter() - begun))
    return median(taken)


def _page(served: Served, path: str, cursor: str | None) -> dict[str, Any]:
    query = {"limit": _LIMIT} | ({} if cursor is None else {"cursor": cursor})
    answer = served.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    assert len(document["items"]) == _LIMIT or document["next"] is None
    return document


def _copy_task(url: str, task_id: str, count: int) -> None:
    database = open_database(url)
    try:
        with database.write() as connection:
            row = connection.execute(tasks.select().where(tasks.c.id == task_id)).one()._asdict()
            del row["number"]
            copies = [
                {
                    **row,
                    "id": f"{number:08x}-0000-4000-8000-000000000000",
                    "created_ms": row["created_ms"] - number,
                }
                for number in range(count)
            ]
            for begin in range(0, count, 10_000):
                connection.execute(insert(tasks), copies[begin : begin + 10_000])
    finally:
        database.close()
