"""Workers of a real server are killed while runs are under way: every run ends, and nothing happens twice."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from served import Served, serving

from benchmarks.kills import LEASE_SECONDS, kill_workers

RUNS = 20


@pytest.mark.timeout(240)
def test_every_run_ends_once_though_its_workers_are_killed(tmp_path: Path) -> None:
    @contextmanager
    def server(kind: str, **settings: object) -> Iterator[Served]:
        with serving(tmp_path, workers=2, **settings) as served:
            yield served

    options = argparse.Namespace(runs=RUNS, clients=4)
    found = {figure.meaning: figure for figure in kill_workers(server, options)}
    assert found["runs that did not complete"].measured == 0
    assert found["runs with a step twice or missing"].measured == 0
    assert found["kills that took runs away"].measured > 0
    (taken_over,) = [figure for meaning, figure in found.items() if "taken over" in meaning]
    assert taken_over.measured <= LEASE_SECONDS + 2
