"""``make bench-server``: a real server under load. Each figure is the median of repeated runs.

``PYTHONPATH=.:tests python -m benchmarks.server --only submit-sqlite --requests 1000 --repeats 3``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final

from databases import new_database
from rich.console import Console
from served import Served, serving

from benchmarks.clones import clone_runs
from benchmarks.figures import Figure
from benchmarks.kills import kill_workers
from benchmarks.long_lists import long_log, many_tasks
from benchmarks.report import machine, print_table
from benchmarks.submitting import percentile, submit

RUNS: Final = 8
"""How many execute meanwhile, half of them in each of two processes."""
_WIDTH: Final = 120


@contextmanager
def _server(kind: str, **settings: object) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, new_database(kind) as url:
        made = {} if kind == "sqlite" else {"DATABASE_URI": url}
        with serving(Path(folder), workers=2, **made, **settings) as served:
            yield served


def _busy_runs(served: Served) -> list[str]:
    """Runs that call a tool of 50 ms over and over; returned when all are under way."""
    nap = {"tool_name": "nap", "tool_params": {"seconds": 0.05}}
    steps: Sequence[dict[str, Any]] = [
        {"type": "assign", "parameters": {"n": 0}},
        {"type": "calling", "parameters": nap},
        {"type": "assign", "parameters": {"n": "${{ n + 1 }}"}},
        {"type": "jmp", "parameters": {"condition": "n < 1000000", "jump_if_true": 2}},
        {"type": "assign", "parameters": {"final_answer": 42}},
    ]
    ids = [served.submit(*steps, max_steps=1_000_000) for _ in range(RUNS)]
    for task_id in ids:
        served.wait(task_id, "running")
    return ids


def submitting(options: argparse.Namespace, *, kind: str) -> Iterator[Figure]:
    """While eight runs execute, which are all that can: what is submitted waits."""
    p95, p50, errors, rates = [], [], 0, []
    for _ in range(options.repeats):
        settings = {"RUN_THREADS": RUNS // 2, "MAX_BACKLOG": options.requests + 100}
        with _server(kind, **settings) as served:
            running = _busy_runs(served)
            before = [served.client.get(f"/api/tasks/{each}").json()["updated_ms"] for each in running]
            begun = perf_counter()
            done = submit(served.port, options.requests, options.clients, rate=options.rate)
            rates.append(options.requests / (perf_counter() - begun))
            p95.append(done.part(0.95))
            p50.append(done.part(0.5))
            errors += len(done.errors) + (len(set(done.task_ids)) != options.requests)
            for each in done.errors[:3]:
                print(each, file=sys.stderr)
            assert len(before) == RUNS
            for each in running:
                served.client.post(f"/api/tasks/{each}/cancel", json={})
    name = f"submit, {kind}"
    yield Figure(name, f"{options.clients} clients, {options.requests} requests, p95", p95, "ms", 50.0)
    yield Figure(name, "p50", p50, "ms")
    yield Figure(name, "requests a second", rates, "")
    yield Figure(name, "errors", [errors], "", 0)


def first_step(options: argparse.Namespace, *, kind: str) -> Iterator[Figure]:
    """From the request's beginning to the commit of the first step, on a server that does nothing else."""
    repeated = []
    for _ in range(options.repeats):
        with _server(kind) as served:
            seconds = [_first_commit_seconds(served) for _ in range(options.firsts)]
            repeated.append(1000 * percentile(seconds, 0.95))
    yield Figure(
        f"first step, {kind}", f"submit → commit, {options.firsts} tasks, p95", repeated, "ms", 150.0
    )


def _first_commit_seconds(served: Served) -> float:
    sleep(0.05)
    begun = perf_counter()
    task_id = served.submit({"type": "assign", "parameters": {"final_answer": 42}})
    deadline = monotonic() + 30
    while monotonic() < deadline:
        if served.client.get(f"/api/tasks/{task_id}").json()["steps"] > 0:
            return perf_counter() - begun
        sleep(0.002)
    raise AssertionError(served.log)


WORKLOADS: Final[Mapping[str, Callable[[argparse.Namespace], Iterator[Figure]]]] = {
    "submit-sqlite": partial(submitting, kind="sqlite"),
    "submit-mariadb": partial(submitting, kind="mariadb"),
    "first-sqlite": partial(first_step, kind="sqlite"),
    "first-mariadb": partial(first_step, kind="mariadb"),
    "tasks": lambda options: many_tasks(_server, options),
    "log": lambda options: long_log(_server, options),
    "clone": lambda options: clone_runs(_server, options),
    "kills": lambda options: kill_workers(_server, options),
}
"""What ``--only`` names."""


def main() -> int:
    """Exit code 0 where all goals are met, 1 where one is missed."""
    options = _arguments().parse_args()
    progress = Console(stderr=True)
    figures: list[Figure] = []
    for name in options.only or WORKLOADS:
        progress.print(f"measuring {name} …")
        figures += WORKLOADS[name](options)
    if options.json:
        print(json.dumps({"machine": machine(), "figures": [each.to_json() for each in figures]}, indent=2))
    else:
        print_table(figures, Console(width=_WIDTH))
    return 1 if any(figure.is_met is False for figure in figures) else 0


def _arguments() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="benchmarks.server", description=__doc__)
    options.add_argument("--only", action="append", choices=list(WORKLOADS))
    options.add_argument("--repeats", type=int, default=3, help="of each; figures are medians")
    options.add_argument("--clients", type=int, default=16)
    options.add_argument(
        "--rate", type=float, default=0.0, help="requests a second; 0: as fast as they are answered"
    )
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--firsts", type=int, default=100, help="tasks of which the first step is awaited")
    options.add_argument("--tasks", type=int, default=100_000, help="of the list")
    options.add_argument("--commits", type=int, default=10_000, help="of the log")
    options.add_argument("--cloned", type=int, default=2_000, help="commits of the run that is cloned")
    options.add_argument("--runs", type=int, default=200, help="under way while workers are killed")
    options.add_argument("--json", action="store_true")
    return options


if __name__ == "__main__":
    sys.exit(main())
