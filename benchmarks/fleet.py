"""What a fleet of workers carries: predicted from measured costs, and the prediction held against real fleets.

``PYTHONPATH=.:tests python -m benchmarks.fleet`` measures what a run costs, predicts 1, 2 and 4 workers on this
machine, lets these run for real, and predicts 1 to 1,000 workers on machines of their own. ``--costs FILE`` takes
costs that were measured before (``--json`` has them) and needs no database.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final

from fleet import chain
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.distributed import open_fleet
from benchmarks.fleet_costs import Costs, measure_costs, waiting_jobs
from benchmarks.fleet_model import Load, Machines, predict
from benchmarks.report import machine

_HERE: Final = (1, 2, 4)
_THERE: Final = (1, 10, 100, 1_000)
_ROUND_TRIP_MS: Final = 0.5
"""Between machines of one data centre."""
_CLOSE: Final = 0.25
"""How far a prediction may be from what was measured, as a part of that."""
_PATIENCE_SECONDS: Final = 900.0


def compare(costs: Costs, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fleets on this machine: seconds predicted and measured."""
    found = []
    for workers in _HERE:
        machines = Machines(workers, options.threads, shared_cores=os.cpu_count())
        load = Load(options.tasks * workers)
        said = predict(costs, machines, load)
        measured = _run(workers, options, load)
        predicted = said.milliseconds / 1000
        found.append(
            {
                "workers": workers,
                "tasks": load.tasks,
                "ideal_seconds": load.ideal_ms(machines) / 1000,
                "predicted_seconds": predicted,
                "measured_seconds": measured,
                "error": predicted / measured - 1,
                "limit": said.limit(),
            }
        )
    return found


def _run(workers: int, options: argparse.Namespace, load: Load) -> float:
    """Seconds from the moment that all workers are there to the end of the last run."""
    with open_fleet(options) as fleet:
        for _ in range(workers):
            fleet.start("-c", str(options.threads), "--quiet")
        fleet.submit(chain(load.steps, load.step_ms / 1000, "look"), workers * options.threads)
        fleet.wait()  # every process has imported all that it needs
        before = perf_counter()
        fleet.submit(chain(load.steps, load.step_ms / 1000, "look"), load.tasks)
        submitted = perf_counter()
        deadline = monotonic() + _PATIENCE_SECONDS
        while waiting_jobs(fleet):
            if monotonic() > deadline:
                raise TimeoutError("no end in sight")
            sleep(0.1)
        # Who submits takes time from the runs that go on meanwhile: from the middle of it, about as much as is lost.
        return perf_counter() - (before + submitted) / 2


def foresee(costs: Costs, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fleets whose workers have a core each, and their database 16 and as fast a disk as here."""
    found = []
    for workers in _THERE:
        machines = Machines(workers, options.threads, round_trip_ms=_ROUND_TRIP_MS)
        load = Load(max(2, 40 // workers) * workers * options.threads)
        said = predict(costs, machines, load)
        seconds = said.milliseconds / 1000
        found.append(
            {
                "workers": workers,
                "runs_per_second": load.tasks / seconds,
                "steps_per_second": load.tasks * load.steps / seconds,
                "times_ideal": said.milliseconds / load.ideal_ms(machines),
                "worker_busy": said.worker_busy,
                "database_busy": said.database_busy,
                "log_busy": said.log_busy,
                "connections": costs.connections * workers,
                "limit": said.limit(),
            }
        )
    return found


def main() -> int:
    """Exit code 1 where a prediction for this machine is too far from what was measured."""
    options = _arguments().parse_args()
    progress = Console(stderr=True)
    if options.costs is not None:
        costs = Costs(**json.loads(Path(options.costs).read_text())["costs"])
        here: list[dict[str, Any]] = []
    else:
        progress.print("measuring what a run costs …")
        with open_fleet(options) as fleet:
            costs = measure_costs(fleet, options.runs)
        progress.print("letting fleets run …")
        here = compare(costs, options)
    progress.print("predicting …")
    there = foresee(costs, options)
    if options.json:
        document = {"machine": machine(), "costs": costs.to_json(), "here": here, "there": there}
        print(json.dumps(document, indent=2))
    else:
        console = Console(width=120)
        _print(console, "Costs", [costs.to_json()])
        _print(console, "On this machine", here)
        _print(console, "On machines of their own", there)
    return 1 if any(abs(each["error"]) > _CLOSE for each in here) else 0


def _print(console: Console, title: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    if len(rows) == 1:
        rows = [{"": name, "value": value} for name, value in rows[0].items()]
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="left" if name in ("", "limit") else "right")
    for row in rows:
        table.add_row(*[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()])
    console.print(table)


def _arguments() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="benchmarks.fleet", description=__doc__)
    options.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq")
    options.add_argument("--threads", type=int, default=8, help="of each worker")
    options.add_argument(
        "--tasks", type=int, default=100, help="for each worker of a fleet that runs for real"
    )
    options.add_argument("--runs", type=int, default=100, help="by which costs are measured")
    options.add_argument("--costs", help="a file that --json made")
    options.add_argument("--json", action="store_true")
    options.set_defaults(database="mariadb")
    return options


if __name__ == "__main__":
    sys.exit(main())
