"""A fleet that is made up: workers, a database, and runs that cost what was measured. By simpy, in milliseconds."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import simpy

from benchmarks.fleet_costs import Costs

Process: TypeAlias = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True)
class Machines:
    """``database_cores`` and ``worker_cores`` (of each worker) are apart; ``shared_cores``: all have these together,
    as on one machine."""

    workers: int
    threads: int = 8
    worker_cores: int = 1
    database_cores: int = 16
    shared_cores: int | None = None
    round_trip_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """Tasks that are there at the beginning, each of ``steps`` calls of ``step_ms`` one after another."""

    tasks: int
    steps: int = 20
    step_ms: float = 20.0

    def ideal_ms(self, machines: Machines) -> float:
        """What it takes where nothing costs anything but the calls."""
        return self.tasks * self.steps * self.step_ms / (machines.workers * machines.threads)


@dataclass(frozen=True, slots=True)
class Predicted:
    """``milliseconds`` until the last run ended; parts of the time that each was busy, 0 to 1."""

    milliseconds: float
    worker_busy: float
    database_busy: float
    log_busy: float

    def limit(self) -> str:
        """What there is too little of."""
        busy = {"workers": self.worker_busy, "database": self.database_busy, "log": self.log_busy}
        name = max(busy, key=lambda each: busy[each])
        return name if busy[name] > 0.8 else "the calls themselves"


class _Cores:
    """Processors; work is done in pieces of the order it came."""

    def __init__(self, world: simpy.Environment, cores: int) -> None:
        self._world = world
        self.resource = simpy.Resource(world, cores)
        self._cores = cores
        self.used = 0.0

    def work(self, milliseconds: float) -> Process:
        with self.resource.request() as turn:
            yield turn
            yield self._world.timeout(milliseconds)
            self.used += milliseconds

    def busy(self) -> float:
        return self.used / (self._cores * self._world.now) if self._world.now else 0.0


class _Log:
    """The database's log: one write makes all durable that wait for it by then."""

    def __init__(self, world: simpy.Environment, flush_ms: float) -> None:
        self._world, self._flush_ms = world, flush_ms
        self._waiting: list[simpy.Event] = []
        self._is_writing = False
        self.used = 0.0

    def commit(self) -> Process:
        done = self._world.event()
        self._waiting.append(done)
        if not self._is_writing:
            self._is_writing = True
            self._world.process(self._write())
        yield done

    def _write(self) -> Process:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            yield self._world.timeout(self._flush_ms)
            self.used += self._flush_ms
            for each in batch:
                each.succeed()
        self._is_writing = False


def predict(costs: Costs, machines: Machines, load: Load) -> Predicted:
    """How long that load takes on those machines."""
    world = simpy.Environment()
    shared = None if machines.shared_cores is None else _Cores(world, machines.shared_cores)
    database = shared or _Cores(world, machines.database_cores)
    log = _Log(world, costs.flush_ms)
    left = count(1)
    processes: list[_Cores] = []

    def durable(commits: float, owed: list[float]) -> Process:
        """Whole transactions only; what is left of one is owed."""
        owed[0] += commits
        while owed[0] >= 1:
            owed[0] -= 1
            yield from log.commit()

    def thread(own: _Cores) -> Process:
        owed = [0.0]
        while next(left) <= load.tasks:
            yield from _both(own, shared, costs.run_worker_ms)
            yield from database.work(costs.run_database_ms)
            yield world.timeout(costs.run_queries * machines.round_trip_ms)
            yield from durable(costs.run_commits, owed)
            for number in range(load.steps + 1):
                yield from _both(own, shared, costs.step_worker_ms)
                if number < load.steps:  # the last is the answer, which calls nothing
                    yield world.timeout(load.step_ms)
                yield from database.work(costs.step_database_ms)
                yield world.timeout(costs.step_queries * machines.round_trip_ms)
                yield from durable(costs.step_commits, owed)

    for _ in range(machines.workers):
        own = _Cores(world, machines.worker_cores)
        processes.append(own)
        for _ in range(machines.threads):
            world.process(thread(own))
    world.run()
    return Predicted(
        world.now,
        shared.busy() if shared is not None else sum(each.busy() for each in processes) / len(processes),
        database.busy(),
        log.used / world.now,
    )


def _both(own: _Cores, shared: _Cores | None, milliseconds: float) -> Process:
    """A process's Python runs on one core at a time, whatever the machine has."""
    if shared is None:
        yield from own.work(milliseconds)
        return
    with own.resource.request() as turn:
        yield turn
        yield from shared.work(milliseconds)
