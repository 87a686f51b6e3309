"""Workers of a running server are killed, again and again, while many runs are under way."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import httpx
from served import Served

from benchmarks.figures import Figure
from benchmarks.submitting import submit

ServerOf = Callable[..., AbstractContextManager[Served]]

LEASE_SECONDS: Final = 5.0
_CALLS: Final = 4
NAP_SECONDS: Final = 1.0
_BETWEEN_SECONDS: Final = (1.0, 2.5)
_PATIENCE_SECONDS: Final = 600.0


def kill_workers(server: ServerOf, options: argparse.Namespace) -> Iterator[Figure]:
    """Every run ends, each of its steps committed once; and how long a run of a dead worker stood still."""
    with server("sqlite", LEASE_SECONDS=LEASE_SECONDS, RUN_THREADS=8) as served:
        steps: list[dict[str, Any]] = []  # each call needs what the one before gave, else all go on at once
        for number in range(_CALLS):
            steps.append(
                {
                    "type": "calling",
                    "parameters": {
                        "tool_name": "nap",
                        "tool_params": {"seconds": f"${{v{number - 1}}}" if number else NAP_SECONDS},
                        "output_vars": f"v{number}",
                    },
                }
            )
        steps.append({"type": "assign", "parameters": {"final_answer": 42}})
        numbered = [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]
        body = {"goal": "benchmark", "plan": numbered}
        ids = submit(served.port, options.runs, options.clients, body).task_ids
        assert len(ids) == options.runs
        kills, still = _kill_until_over(served, ids)
        ended = [_look(served, f"/api/tasks/{each}")["status"] for each in ids]
        wrong = sum(_twice(served, each, _CALLS + 1) for each in ids)
    name = f"{options.runs} runs, {kills} workers killed"
    yield Figure(name, "runs that did not complete", [sum(each != "completed" for each in ended)], "", 0)
    yield Figure(name, "kills that took runs away", [len(still)], "")
    yield Figure(name, "runs with a step twice or missing", [wrong], "", 0)
    yield Figure(
        name,
        f"longest until taken over (lease {LEASE_SECONDS:g} s)",
        [max(still)] if still else [],
        "s",
        LEASE_SECONDS + 2,
    )


def worker_pids(served: Served) -> list[int]:
    """The processes that gunicorn has now."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
    return [int(each) for each in children.read_text().split()]


def _kill_until_over(served: Served, ids: list[str]) -> tuple[int, list[float]]:
    """How many were killed, and for each that had runs how long the last of them waited for another owner."""
    chance, kills, still = random.Random(1), 0, []
    deadline = monotonic() + _PATIENCE_SECONDS
    while monotonic() < deadline and _jobs(served):
        sleep(chance.uniform(*_BETWEEN_SECONDS))
        pids = worker_pids(served)
        if not pids:
            continue
        pid = chance.choice(pids)
        held = {number for number, owners in _jobs(served).items() if f":{pid}" in owners}
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        kills += 1
        if held:
            still.append(_until_taken(served, held, pid))
    return kills, still


def _until_taken(served: Served, held: set[int], pid: int) -> float:
    begun = monotonic()
    while monotonic() - begun < 60:
        now = _jobs(served)
        if not any(f":{pid}" in now.get(number, "") for number in held):
            break
        sleep(0.02)
    return monotonic() - begun


def _jobs(served: Served) -> dict[int, str]:
    """Number → who has the job and who has the branch's lease, as the tables have them."""
    asking = """SELECT jobs.number, coalesce(jobs.owner, '') || ' ' || coalesce(leases.owner, '') FROM jobs
                LEFT JOIN leases ON leases.task_id = jobs.task_id AND leases.branch = jobs.branch"""
    with closing(sqlite3.connect(served.folder / "var" / "stackvm.db", timeout=30)) as connection:
        return dict(connection.execute(asking).fetchall())


def _look(served: Served, path: str) -> dict[str, Any]:
    for _ in range(100):
        with suppress(httpx.TransportError):
            answer = served.client.get(path)
            if answer.status_code == 200:
                document: dict[str, Any] = answer.json()
                return document
        sleep(0.1)
    raise AssertionError(served.log)


def _twice(served: Served, task_id: str, steps: int) -> bool:
    log = _look(served, f"/api/tasks/{task_id}/commits?limit=500&records=true")["items"]
    done = [each["seq_no"] for each in log if each["kind"] == "step"]
    return sorted(done) != list(range(1, steps + 1))
