"""``python -m benchmarks``: measure, print the table, exit 1 where a goal is missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.checks import checks
from benchmarks.disk import IN_MEMORY, file_system, scratch_folder
from benchmarks.early import parallel, sequential
from benchmarks.figures import Bench, Figure
from benchmarks.forks import forks
from benchmarks.histories import (
    durable_steps,
    git_store,
    large_value,
    long_list,
    sqlite_runs,
    three_variables,
    write_tool,
)
from benchmarks.looking_back import looking_back
from benchmarks.mariadb import mariadb
from benchmarks.observed import observed
from benchmarks.processes import help_text, importing
from benchmarks.raw import raw_commit_seconds, settled_commit_seconds
from benchmarks.report import machine, print_table
from benchmarks.samples import RAW_COMMITS, RawCommits

WORKLOADS: Final[Mapping[str, Callable[[Bench], Iterator[Figure]]]] = {
    "a-1000": partial(sqlite_runs, steps=1_000),
    "a-5000": partial(sqlite_runs, steps=5_000),
    "a-step": durable_steps,
    "a-mariadb": mariadb,
    "a-git": git_store,
    "a-write": write_tool,
    "b": large_value,
    "c": long_list,
    "loop": three_variables,
    "parallel": parallel,
    "reads": sequential,
    "fork": forks,
    "look": looking_back,
    "observed": observed,
    "checker": checks,
    "help": help_text,
    "import": importing,
}
"""What ``--only`` names."""

_WIDTH: Final = 120


def main() -> int:
    """Exit code 0 where all goals are met, 1 where one is missed."""
    options = _arguments().parse_args()
    bench_names = options.only or list(WORKLOADS)
    progress = Console(stderr=True)
    kind = file_system(options.folder if options.folder.exists() else options.folder.absolute().parent)
    if kind in IN_MEMORY:
        progress.print(f"{options.folder} is in memory ({kind}): nothing durable is measured; give --folder")
    with scratch_folder(options.folder) as folder, tempfile.TemporaryDirectory() as shared:
        # Before anything counts: as in a server of several processes.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", shared)
        bench = _bench(options, folder)
        figures = list(_raw(bench))
        for name in bench_names:
            progress.print(f"measuring {name} …")
            figures += WORKLOADS[name](bench)
        figures += _raw(bench)
    about = {**machine(), "file_system": kind, "runs": bench.runs}
    if options.json:
        print(json.dumps({"machine": about, "figures": [figure.to_json() for figure in figures]}, indent=2))
    else:
        print_table(figures, Console(width=_WIDTH))
        print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in about.items()))
    return 1 if any(figure.is_met is False for figure in figures) else 0


def _bench(options: argparse.Namespace, folder: Path) -> Bench:
    if options.quick:
        return Bench(folder, runs=1, scale=0.2, mariadb=options.mariadb)
    return Bench(folder, runs=options.runs, scale=1.0, mariadb=options.mariadb)


def _raw(bench: Bench) -> Iterator[Figure]:
    """The unit, in milliseconds: at the beginning and at the end."""
    yield _raw_figure(bench, "on a new log: the unit", raw_commit_seconds)
    if bench.scale == 1:  # it takes more than a thousand commits to fill a log
        yield _raw_figure(bench, "on a log written over: the least", settled_commit_seconds)


def _raw_figure(bench: Bench, meaning: str, measure: RawCommits) -> Figure:
    values = []
    for _ in range(bench.runs):
        with scratch_folder(bench.folder) as folder:
            values.append(1000 * measure(folder, bench.size(RAW_COMMITS)))
    return Figure("raw SQLite commit", meaning, values, "ms")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="one workload; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one run of a fifth of the size: a smoke test")
    parser.add_argument("--runs", type=int, default=5, help="runs of each workload (default 5)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("var"),
        help="where to write: a folder on a real disk (default var)",
    )
    parser.add_argument(
        "--mariadb",
        default=os.environ.get("TEST_MARIADB_SERVER", "mysql://root@127.0.0.1:3306"),
        help="the server to measure on, as a URL without a database",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
