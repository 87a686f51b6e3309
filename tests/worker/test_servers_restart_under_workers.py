"""Brokers and databases that go away under a fleet, and a server that is taken for a new one under load."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

import brokers
import httpx
import pytest
from databases import create_schema, new_database
from fleet import Fleet, chain, fleet_on
from served import Served, serving

from app.db.session import open_database

sys.path.insert(0, str(Path(__file__).parent.parent / "busy"))

from private_servers import private_server


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", brokers.KINDS)
def test_a_broker_that_restarts_loses_no_run(tmp_path: Path, kind: str) -> None:
    """Redis forgets all its messages at that."""
    with new_database("mariadb") as url, brokers.private_broker(kind) as broker:
        database = open_database(url)
        create_schema(database)
        database.close()
        with fleet_on(tmp_path, url, broker.url) as fleet:
            fleet.submit(chain(6, 0.2), 20)
            for _ in range(2):
                fleet.start("-c", "3")
            fleet.wait_until(lambda: len(fleet.world("done")) > 10)
            broker.stop()
            fleet.submit(chain(6, 0.2), 4)  # taken in all the same
            assert fleet.server is not None
            fleet.wait_until(
                lambda: fleet.server is not None and fleet.server.queue.trouble() is not None, 10
            )
            broker.start()
            fleet.wait_until(lambda: fleet.server is not None and fleet.server.queue.trouble() is None, 30)
            fleet.submit(chain(6, 0.2), 4)
            fleet.wait()
            fleet.check(6)


@pytest.mark.timeout(240)
def test_a_database_that_restarts_loses_no_run_and_is_no_takeover(tmp_path: Path) -> None:
    with (
        brokers.new_broker("rabbitmq") as broker,
        private_server("mariadb") as server,
        fleet_on(tmp_path, server.url, broker, DATABASE_PATIENCE=60) as fleet,
    ):
        fleet.submit(chain(8, 0.25), 12)
        for _ in range(2):
            fleet.start("-c", "3")
        fleet.wait_until(lambda: len(fleet.world("done")) > 10)
        server.stop()
        time.sleep(0.5)
        server.start()
        fleet.wait(seconds=120)
        # What was under way may have been taken over if it took longer than the lease: by the same keys then.
        fleet.check(8, killed=True)
        fleet.stop()


@pytest.mark.timeout(240)
def test_a_server_and_its_workers_are_replaced_under_load(tmp_path: Path) -> None:
    """No request fails beyond a repetition, and no run is lost."""
    folder = tmp_path / "server"
    folder.mkdir()
    with (
        new_database("mariadb") as url,
        brokers.new_broker("rabbitmq") as broker,
        fleet_on(tmp_path, url, broker, LEASE_SECONDS=30) as fleet,
    ):
        with serving(folder, workers=2, **fleet.settings, RATE_LIMIT="") as served:
            for _ in range(2):
                fleet.start("-c", "4")
            repeated = _submit_while(fleet, served, 60)
        assert repeated < 20
        fleet.open_server()
        fleet.wait()
        assert len(set(fleet.ids)) == 60
        fleet.check(4)


def _submit_while(fleet: Fleet, served: Served, count: int) -> int:
    """Submit, and replace all of them meanwhile; gives how many requests were repeated."""
    repeated = 0
    stopping = threading.Event()

    def replace() -> None:
        served.process.send_signal(
            signal.SIGHUP
        )  # gunicorn replaces its workers, when the new ones are there
        while not stopping.wait(2.0):
            old = fleet.living()[0]
            fleet.start("-c", "4")
            old.send_signal(signal.SIGTERM)

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        for number in range(count):
            body = {"goal": "test", "plan": chain(4, 0.05)}
            for _ in range(5):
                try:
                    answer = httpx.post(
                        f"{served.url}/api/tasks",
                        json=body,
                        headers={"Idempotency-Key": f"key-{number}"},
                        timeout=20,
                        trust_env=False,
                    )
                except httpx.TransportError:
                    repeated += 1
                    time.sleep(0.2)
                    continue
                if answer.status_code == 202:
                    fleet.ids.append(answer.json()["task_id"])
                    break
                assert answer.status_code in (409, 503), answer.text
                repeated += 1
                time.sleep(0.2)
            else:
                raise AssertionError("a request failed again and again")
            time.sleep(0.1)
    finally:
        stopping.set()
        replacing.join()
    return repeated


@pytest.mark.timeout(120)
def test_a_server_whose_broker_is_down_takes_runs_in_and_says_so(tmp_path: Path) -> None:
    with brokers.private_broker("redis") as broker:
        broker.stop()
        settings = {"QUEUE": "celery", "CELERY_BROKER_URL": broker.url}
        with serving(tmp_path, workers=1, **settings) as served:
            ready = served.client.get("/readyz")
            assert ready.status_code == 200
            document = ready.json()
            assert document["status"] == "degraded" and "Redis at 127.0.0.1" in document["trouble"]
            task_id = served.submit({"type": "assign", "parameters": {"final_answer": 42}})
            assert served.client.get(f"/api/tasks/{task_id}").json()["status"] == "queued"
            broker.start()
            deadline = time.monotonic() + 20
            while served.client.get("/readyz").json()["status"] != "ready":
                assert time.monotonic() < deadline
                time.sleep(0.2)
            url = f"sqlite:///{tmp_path}/var/stackvm.db"
            (tmp_path / "fleet").mkdir()
            with fleet_on(tmp_path / "fleet", url, broker.url) as fleet:
                fleet.start("-c", "1")
                assert served.wait(task_id)["status"] == "completed"
