"""A database server is killed, or stopped, and started again, while runs go on.

CI makes a few runs; ``CHAOS_RUNS=50`` is the full size.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import Outside, check, end, open_place, resume, run
from private_servers import PrivateServer, private_server

from app.errors import StorageError
from app.services.tasks import list_tasks

RUNS = int(os.environ.get("CHAOS_RUNS", "2"))

pytestmark = pytest.mark.timeout(max(120, RUNS * 30))


@pytest.fixture(scope="module", params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    with private_server(request.param) as started:
        yield started


@pytest.mark.parametrize("width", [1, 8])
def test_runs_go_on_while_the_server_is_killed_and_restarted(
    server: PrivateServer, tmp_path: Path, width: int
) -> None:
    chance = random.Random(width)
    outside = Outside(tmp_path / "ledger")
    place, database = open_place(server.url, tmp_path, outside, database_patience=60)
    run(place, width)  # the database has answered
    over = threading.Event()
    restarts = 0

    def restart() -> None:
        nonlocal restarts
        while not over.wait(chance.uniform(0.05, 0.8)):
            server.stop(chance.choice([signal.SIGKILL, signal.SIGTERM]))
            time.sleep(chance.uniform(0, 0.3))
            server.start()
            restarts += 1

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        reports = [run(place, width) for _ in range(RUNS)]
    finally:
        over.set()
        thread.join()
    for report in reports:
        check(place, outside, report)
    assert restarts >= RUNS / 4, "the server stayed up"
    assert len(list_tasks(place, None, 1000)) >= RUNS
    database.close()


def test_a_server_that_stays_away_stops_the_run_and_resume_goes_on(
    server: PrivateServer, tmp_path: Path
) -> None:
    outside = Outside(tmp_path / "ledger")
    place, database = open_place(server.url, tmp_path, outside, database_patience=1, lease_seconds=3)
    before = {task.id for task in list_tasks(place, None, 1000)}
    timer = threading.Timer(0.15, lambda: server.stop(signal.SIGKILL))
    timer.start()
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"tried for 1 s|can't be reached|dropped") as raised:
        run(place, 8)
    assert time.monotonic() - started < 8, "what cleans up waited again"
    assert raised.value.hint
    timer.join()
    server.start()
    (task,) = (task for task in list_tasks(place, None, 1000) if task.id not in before)
    report = end(place, outside, resume(place, task.id, 8), 8)
    check(place, outside, report, stopped=True)
    database.close()
