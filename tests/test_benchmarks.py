"""The benchmarks run: each workload at a fraction of its size, so that none of them rots. None is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from math import isfinite
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.__main__ import WORKLOADS
from benchmarks.disk import file_system, folder_bytes, scratch_folder
from benchmarks.figures import Bench, Figure
from benchmarks.graphs import Task, best_seconds, independent, remaining_seconds, schedule_seconds
from benchmarks.growth import growth, step_costs
from benchmarks.raw import raw_commit_seconds
from benchmarks.report import print_table
from benchmarks.runs import Timeline
from benchmarks.watched import Flush
from benchmarks.workloads import texts

ROOT = Path(__file__).parent.parent
NO_SERVER = "mysql://nobody@127.0.0.1:1"


def bench(folder: Path, *, mariadb: str = NO_SERVER) -> Bench:
    return Bench(folder, runs=1, scale=0.01, mariadb=mariadb)


@pytest.mark.parametrize("name", [name for name in WORKLOADS if name not in ("a-mariadb", "import")])
def test_every_workload_runs_and_gives_figures(name: str, tmp_path: Path) -> None:
    figures = list(WORKLOADS[name](bench(tmp_path)))
    assert figures
    for figure in figures:
        assert figure.values and all(isfinite(value) and value >= 0 for value in figure.values), figure
    assert list(tmp_path.iterdir()) == []


def test_the_best_schedule_is_that_of_a_list() -> None:
    assert best_seconds(independent(17, 1.0), 8) == 3.0
    chain = [Task(1.0, ()), Task(2.0, (0,)), Task(3.0, (1,))]
    assert best_seconds(chain, 8) == 6.0
    assert remaining_seconds(chain) == [6.0, 5.0, 3.0]
    # By the plan's order the long way begins last.
    graph = [Task(1.0, ()), Task(1.0, ()), *chain]
    graph[3:] = [Task(2.0, (2,)), Task(3.0, (3,))]
    assert schedule_seconds(graph, 2, lambda task: task) == 7.0
    assert best_seconds(graph, 2) == 6.0


def test_importing_opens_nothing(tmp_path: Path) -> None:
    [figure] = WORKLOADS["import"](bench(tmp_path))
    assert figure.measured == 0, figure.meaning


def test_mariadb_is_measured_where_there_is_a_server(tmp_path: Path) -> None:
    figures = list(WORKLOADS["a-mariadb"](bench(tmp_path, mariadb="mysql://root@127.0.0.1:3306")))
    if not figures[0].values:
        pytest.skip(figures[0].meaning)
    assert figures[0].measured > 0


def test_without_a_server_a_line_says_so(tmp_path: Path) -> None:
    [figure] = WORKLOADS["a-mariadb"](bench(tmp_path))
    assert figure.meaning.startswith("skipped, no server") and figure.is_met is None
    print_table([figure], Console())


def test_a_flush_is_spread_over_the_steps_it_made_durable() -> None:
    # Steps of one second; a flush of three seconds in the third covers the first three.
    timeline = Timeline(0.0, [1.0, 2.0, 6.0, 7.0], [Flush(2.5, 5.5), Flush(7.0, 7.5)], 8.0)
    assert step_costs(timeline) == pytest.approx([2.0, 2.0, 1.5])


def test_equal_steps_do_not_grow() -> None:
    commits = [float(second) for second in range(1, 102)]
    assert growth(Timeline(0.0, commits, [], 102.0)) == pytest.approx(1.0)


def test_a_goal_is_the_most_the_median_may_be() -> None:
    assert Figure("A", "time", [0.4, 0.5, 9.0], "×", 0.5).is_met is True
    assert Figure("A", "time", [0.4, 0.6, 0.7], "×", 0.5).is_met is False
    assert Figure("A", "time", [0.6], "×").is_met is None


def test_texts_are_the_same_each_time_and_hard_to_compress() -> None:
    assert texts(3, 40) == texts(3, 40)
    assert len(set(texts(1_000, 40))) == 1_000


def test_a_scratch_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        raw_commit_seconds(folder, 3)
        assert folder_bytes(folder) > 0
        assert file_system(folder) == file_system(tmp_path)
    assert not folder.exists()


def test_the_command_prints_one_document(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--json",
        "--only",
        "checker",
        "--folder",
        tmp_path,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    assert {"machine", "figures"} == set(document)
    assert "checker" in {figure["workload"] for figure in document["figures"]}
