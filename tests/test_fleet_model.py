"""The fleet that is made up obeys what any fleet must."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.fleet_costs import Costs
from benchmarks.fleet_model import Load, Machines, predict

FREE = Costs(**dict.fromkeys(Costs.__dataclass_fields__, 0.0))
LOAD = Load(tasks=64)


def test_what_costs_nothing_takes_as_long_as_its_calls() -> None:
    for workers in (1, 2, 8):
        machines = Machines(workers)
        assert predict(FREE, machines, LOAD).milliseconds == pytest.approx(LOAD.ideal_ms(machines))


def test_one_core_does_one_thing_at_a_time() -> None:
    found = predict(replace(FREE, step_worker_ms=5.0), Machines(1), LOAD)
    least = LOAD.tasks * (LOAD.steps + 1) * 5.0
    assert least <= found.milliseconds <= least * 1.05
    assert found.worker_busy > 0.95
    assert found.limit() == "workers"


def test_more_workers_help_until_the_database_is_busy() -> None:
    costs = replace(FREE, step_worker_ms=1.0, step_database_ms=1.0)
    took = [
        predict(costs, Machines(workers, database_cores=2), LOAD).milliseconds for workers in (1, 2, 4, 8)
    ]
    assert took == sorted(took, reverse=True)
    busy = predict(costs, Machines(32, database_cores=2), Load(tasks=1024))
    assert busy.limit() == "database"
    assert busy.milliseconds >= 1024 * 21 * 1.0 / 2


def test_one_write_of_the_log_serves_all_that_wait_for_it() -> None:
    costs = replace(FREE, step_commits=1.0, flush_ms=10.0)
    alone = predict(costs, Machines(1, threads=1), Load(tasks=1))
    many = predict(costs, Machines(8), LOAD)
    assert alone.milliseconds == pytest.approx(20 * 20.0 + 21 * 10.0)
    assert many.milliseconds < 1.5 * alone.milliseconds


def test_a_part_of_a_transaction_is_owed() -> None:
    costs = replace(FREE, step_commits=0.5, flush_ms=10.0)
    found = predict(costs, Machines(1, threads=1), Load(tasks=1, steps=19))
    assert found.milliseconds == pytest.approx(19 * 20.0 + 10 * 10.0)


def test_on_one_machine_all_share_its_cores() -> None:
    costs = replace(FREE, step_worker_ms=2.0, step_database_ms=2.0)
    found = predict(costs, Machines(4, shared_cores=2), LOAD)
    assert found.milliseconds >= LOAD.tasks * 21 * 4.0 / 2
