"""``make bench-distributed``: a server, a database, a broker, and worker processes, for real.

``PYTHONPATH=.:tests python -m benchmarks.distributed --tasks 100 --broker redis``
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final

from brokers import KINDS, new_broker, purge
from databases import create_schema, new_database
from fleet import Fleet, chain, fleet_on
from rich.console import Console
from sqlalchemy import select

from app.db.models import tasks
from app.db.session import open_database
from benchmarks.figures import Figure
from benchmarks.fleet_costs import processor_seconds, waiting_jobs
from benchmarks.report import machine, print_table
from benchmarks.submitting import percentile

STEPS: Final = 20
STEP_SECONDS: Final = 0.02
LEASE_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 900.0
_KILL_SECONDS: Final = 2.0
_WIDTH: Final = 120


@contextmanager
def open_fleet(options: argparse.Namespace, **settings: object) -> Iterator[Fleet]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        url = stack.enter_context(new_database(options.database, folder))
        database = open_database(url)
        create_schema(database)
        database.close()
        broker = stack.enter_context(new_broker(options.broker))
        yield stack.enter_context(fleet_on(folder, url, broker, MAX_BACKLOG=100_000, **settings))


def throughput(options: argparse.Namespace) -> Iterator[Figure]:
    """Submitted before any worker is there; measured from the first claim to the last end."""
    with open_fleet(options) as fleet:
        fleet.submit(chain(STEPS, STEP_SECONDS, "look"), options.tasks)
        for _ in range(options.workers):
            fleet.start("-c", str(options.threads), "--quiet")
        _wait(lambda: any(fleet.owners().values()))
        begun = perf_counter()
        _wait(lambda: waiting_jobs(fleet) == 0, 0.1)
        seconds = perf_counter() - begun
        cpu = sum(processor_seconds(process.pid) for process in fleet.living())
        lost, wrong = _lost_and_wrong(fleet)
    ideal = options.tasks * STEPS * STEP_SECONDS / (options.workers * options.threads)
    name = f"{options.tasks} tasks of {STEPS} steps, {options.workers} × {options.threads}"
    yield Figure(name, f"until all ended (ideal {ideal:.1f} s)", [seconds], "s", 2 * ideal)
    yield Figure(name, "CPU of the workers, a task", [1000 * cpu / options.tasks], "ms")
    yield Figure(name, "lost", [lost], "", 0)
    yield Figure(name, "with a step twice or missing", [wrong], "", 0)


def first_step(options: argparse.Namespace) -> Iterator[Figure]:
    """From the submission's beginning to the commit of the first step, on workers that do nothing else."""
    with open_fleet(options) as fleet:
        for _ in range(options.workers):
            fleet.start("-c", str(options.threads), "--quiet")
        fleet.open_server()
        plan = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]
        fleet.submit(plan)
        fleet.wait()
        seconds = []
        for _ in range(options.firsts):
            sleep(0.05)
            begun = perf_counter()
            [task_id] = fleet.submit(plan)
            _wait(lambda: fleet.status(task_id) == "completed", 0.002)  # noqa: B023
            seconds.append(perf_counter() - begun)
    name = f"first step, {options.firsts} tasks, idle"
    yield Figure(name, "submit → commit, p95", [1000 * percentile(seconds, 0.95)], "ms", 300.0)
    yield Figure(name, "p50", [1000 * percentile(seconds, 0.5)], "ms")


def kills(options: argparse.Namespace) -> Iterator[Figure]:
    """A worker dies every 2 s, and all messages are taken away as often."""
    still: list[float] = []
    count = 0
    with open_fleet(options, LEASE_SECONDS=LEASE_SECONDS) as fleet:
        fleet.submit(chain(STEPS, 0.1), options.runs)
        for _ in range(options.workers):
            fleet.start("-c", str(options.threads), "--quiet")
        chance = random.Random(1)
        deadline = monotonic() + _PATIENCE_SECONDS
        while waiting_jobs(fleet) and monotonic() < deadline:
            sleep(_KILL_SECONDS)
            victim = chance.choice(fleet.living())
            mark = f":{victim.pid}/"
            held = {number for number, owner in fleet.owners().items() if mark in (owner or "")}
            victim.kill()
            victim.wait()
            count += 1
            killed_at = monotonic()
            fleet.start("-c", str(options.threads), "--quiet")
            purge(fleet.broker, "stackvm")
            if held:
                _wait(lambda: not any(mark in (fleet.owners().get(each) or "") for each in held))  # noqa: B023
                still.append(monotonic() - killed_at)
        lost, _ = _lost_and_wrong(fleet)
        wrong = 0
        try:
            fleet.check(STEPS, killed=True)
        except AssertionError as error:
            print(error, file=sys.stderr)
            wrong = 1
    name = f"{options.runs} runs, {count} workers killed, as many purges"
    yield Figure(name, "lost", [lost], "", 0)
    yield Figure(name, "twice or missing", [wrong], "", 0)
    longest = [max(still)] if still else []
    yield Figure(
        name, f"longest until taken over (lease {LEASE_SECONDS:g} s)", longest, "s", LEASE_SECONDS + 2
    )


def _lost_and_wrong(fleet: Fleet) -> tuple[int, int]:
    """Tasks that did not complete; and those with another number of steps than their plan."""
    asking = select(tasks.c.status, tasks.c.steps)
    rows = fleet.database.ask(lambda connection: connection.execute(asking).all())
    lost = len(fleet.ids) - sum(row.status == "completed" for row in rows)
    return lost, sum(row.steps != STEPS + 1 for row in rows)


def _wait(true: Callable[[], bool], every: float = 0.02) -> None:
    deadline = monotonic() + _PATIENCE_SECONDS
    while not true():
        if monotonic() > deadline:
            raise TimeoutError("no end in sight")
        sleep(every)


WORKLOADS: Final[Mapping[str, Callable[[argparse.Namespace], Iterator[Figure]]]] = {
    "throughput": throughput,
    "first": first_step,
    "kills": kills,
}
"""What ``--only`` names."""


def main() -> int:
    """Exit code 0 where all goals are met, 1 where one is missed."""
    options = _arguments().parse_args()
    progress = Console(stderr=True)
    figures: list[Figure] = []
    for name in options.only or WORKLOADS:
        progress.print(f"measuring {name} on {options.database} and {options.broker} …")
        figures += WORKLOADS[name](options)
    if options.json:
        document: dict[str, Any] = {"machine": machine(), "figures": [each.to_json() for each in figures]}
        print(json.dumps(document, indent=2))
    else:
        print_table(figures, Console(width=_WIDTH))
    return 1 if any(figure.is_met is False for figure in figures) else 0


def _arguments() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="benchmarks.distributed", description=__doc__)
    options.add_argument("--only", action="append", choices=list(WORKLOADS))
    options.add_argument("--database", choices=["mariadb", "postgresql", "sqlite"], default="mariadb")
    options.add_argument("--broker", choices=KINDS, default="rabbitmq")
    options.add_argument("--tasks", type=int, default=1_000)
    options.add_argument("--workers", type=int, default=2, help="processes")
    options.add_argument("--threads", type=int, default=8, help="of each: runs at once")
    options.add_argument("--firsts", type=int, default=100, help="tasks of which the first step is awaited")
    options.add_argument("--runs", type=int, default=200, help="under way while workers are killed")
    options.add_argument("--json", action="store_true")
    return options


if __name__ == "__main__":
    sys.exit(main())
