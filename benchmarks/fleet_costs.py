"""What runs cost the machine: processor, database, bytes. Measured on one busy worker, on MariaDB."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Final

from fleet import Fleet, chain
from sqlalchemy import func, select, text

from app.db.models import jobs
from app.db.session import Database

SHORT, LONG = 2, 42
"""Steps of the two plans whose difference is what a step costs."""
STEP_SECONDS: Final = 0.02
"""As in what is predicted: how many steps share a durable write depends on it."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_COUNTERS: Final = ("Innodb_log_writes", "Questions")
"""Of the whole server: nobody else may use it meanwhile. Without group commit, a write of the log is a transaction
that changed something."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run costs beside its steps, and what each step adds.

    ``…_worker_ms`` and ``…_database_ms`` are processor time, ``…_commits`` transactions that are made durable,
    ``…_queries`` round trips, ``…_bytes`` what the tables grow by. ``flush_ms`` is one durable write of the
    database's log; ``connections`` are those of a worker of eight threads.
    """

    run_worker_ms: float
    step_worker_ms: float
    run_database_ms: float
    step_database_ms: float
    run_commits: float
    step_commits: float
    run_queries: float
    step_queries: float
    run_bytes: float
    step_bytes: float
    flush_ms: float
    connections: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Counters, as they stand."""

    worker: float
    database: float
    bytes: float
    counters: Mapping[str, float]


def measure_costs(fleet: Fleet, runs: int) -> Costs:
    """Runs of a short and of a long plan, eight at a time: alone, each would pay for waking up all of it."""
    fleet.open_server()
    worker = fleet.start("-c", "8", "--quiet").pid
    pid = _server_pid(fleet.database)
    fleet.submit(chain(SHORT, STEP_SECONDS, "look"), 10)
    fleet.wait()
    short = _measure(fleet, SHORT, runs, worker, pid)
    long = _measure(fleet, LONG, runs, worker, pid)
    more = LONG - SHORT
    step = {name: max(0.0, (long[name] - short[name]) / more) for name in short}
    # A plan has one step more than its chain, the answer.
    run = {name: max(0.0, short[name] - (SHORT + 1) * step[name]) for name in short}
    names = ("worker_ms", "database_ms", "commits", "queries", "bytes")
    values = {f"run_{name}": run[name] for name in names} | {f"step_{name}": step[name] for name in names}
    return Costs(**values, flush_ms=_flush_ms(fleet.database), connections=_connections(fleet, worker))


def _measure(fleet: Fleet, steps: int, runs: int, worker: int, server: int) -> dict[str, float]:
    """A run's share of each counter."""
    before = _read(fleet.database, worker, server)
    fleet.submit(chain(steps, STEP_SECONDS, "look"), runs)
    while waiting_jobs(fleet):  # a look at each task's row would be among the costs
        sleep(0.5)
    after = _read(fleet.database, worker, server)
    grown = {name: after.counters[name] - before.counters[name] for name in _COUNTERS}
    return {
        "worker_ms": 1000 * (after.worker - before.worker) / runs,
        "database_ms": 1000 * (after.database - before.database) / runs,
        "commits": grown["Innodb_log_writes"] / runs,
        "queries": grown["Questions"] / runs,
        "bytes": (after.bytes - before.bytes) / runs,
    }


def _read(database: Database, worker: int, server: int) -> _Reading:
    def work(connection: Any) -> tuple[dict[str, float], float]:
        rows = connection.execute(text("SHOW GLOBAL STATUS")).all()
        found = {name: float(value) for name, value in rows if name in _COUNTERS}
        grown = text(
            "SELECT SUM(octet_length(data)) FROM (SELECT data FROM journal UNION ALL SELECT data FROM segments) t"
        )
        return found, float(connection.execute(grown).scalar() or 0)

    counters, size = database.ask(work)
    return _Reading(processor_seconds(worker), processor_seconds(server), size, counters)


def processor_seconds(pid: int) -> float:
    """What a process has used of processors, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _server_pid(database: Database) -> int:
    def work(connection: Any) -> str:
        return str(connection.execute(text("SELECT @@pid_file")).scalar())

    return int(Path(database.ask(work)).read_text())


def _flush_ms(database: Database) -> float:
    """One small transaction after another, by one connection: what making it durable takes."""
    database.transact(lambda connection: connection.execute(text("CREATE TABLE IF NOT EXISTS probe (x INT)")))
    count = 200
    begun = perf_counter()
    for _ in range(count):
        database.transact(lambda connection: connection.execute(text("INSERT INTO probe VALUES (1)")))
    took = perf_counter() - begun
    for _ in range(count):
        database.ask(lambda connection: connection.execute(text("SELECT 1")))
    asked = perf_counter() - begun - took
    database.transact(lambda connection: connection.execute(text("DROP TABLE probe")))
    return 1000 * max(0.0, took - asked) / count


def _connections(fleet: Fleet, worker: int) -> float:
    """Connections to the database while eight runs of a second worker go on."""

    def work(connection: Any) -> float:
        return float(connection.execute(text("SELECT COUNT(*) FROM information_schema.processlist")).scalar())

    before = fleet.database.ask(work)
    busy = fleet.start("-c", "8", "--quiet")
    fleet.submit(chain(20, 0.02, "look"), 64)
    most = 0.0
    while any(fleet.status(each) != "completed" for each in fleet.ids[-64:]):
        most = max(most, fleet.database.ask(work) - before)
    busy.terminate()
    busy.wait(30)
    assert processor_seconds(worker) > 0
    return most


def waiting_jobs(fleet: Fleet) -> int:
    """How many jobs there are, free or not."""
    asking = select(func.count()).select_from(jobs)
    return int(fleet.database.ask(lambda connection: connection.execute(asking).scalar_one()))
