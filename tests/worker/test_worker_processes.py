"""Worker processes over MariaDB, RabbitMQ and Redis: killed, restarted, with lost messages, with wrong clocks."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import brokers
import pytest
from databases import create_schema, new_database
from fleet import POISON, Fleet, chain, fleet_on

from app.db.models import alembic_version
from app.db.session import open_database
from app.services.namespaces import create_namespace
from app.services.tasks import find_task

LEASE_SECONDS = 3


@pytest.fixture
def made(tmp_path: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def make_fleet(
    made: ExitStack, folder: Path, broker: str = "rabbitmq", database: str = "mariadb", **settings: object
) -> Fleet:
    url = made.enter_context(new_database(database))
    opened = open_database(url)
    create_schema(opened)
    opened.close()
    address = "" if broker == "embedded" else brokers.shared_broker(broker)
    if address:
        brokers.purge(address, "stackvm")
    return made.enter_context(fleet_on(folder, url, address, **settings))


@pytest.mark.timeout(240)
def test_workers_are_killed_and_the_queue_is_purged_and_every_run_ends_once(
    made: ExitStack, tmp_path: Path
) -> None:
    """A tenth of what `benchmarks/distributed.py` does: a worker dies every 2 s."""
    fleet = make_fleet(made, tmp_path)
    fleet.submit(chain(10, 0.1), 20)
    for _ in range(2):
        fleet.start("-c", "4")
    fleet.wait_until(lambda: len(fleet.world("done")) > 5)
    chance, still = random.Random(1), []
    for _ in range(4):
        living = fleet.living()
        if not fleet.owners() or not living:
            break
        victim = chance.choice(living)
        held = {number for number, owner in fleet.owners().items() if f":{victim.pid}/" in (owner or "")}
        victim.kill()
        victim.wait()
        killed_at = time.monotonic()
        fleet.start("-c", "4")
        brokers.purge(fleet.broker, "stackvm")
        fleet.wait_until(
            lambda: (
                not any(
                    f":{victim.pid}/" in (owner or "")  # noqa: B023
                    for number, owner in fleet.owners().items()
                    if number in held  # noqa: B023
                )
            )
        )
        if held:
            still.append(time.monotonic() - killed_at)
        time.sleep(max(0.0, killed_at + 2 - time.monotonic()))
    fleet.wait()
    fleet.check(10, killed=True)
    assert still and max(still) <= LEASE_SECONDS + 4, (
        still
    )  # the bar is 2 s; machines have other things to do
    assert fleet.owners() == {}


@pytest.mark.timeout(240)
def test_a_worker_on_another_machine_is_followed_when_its_lease_has_run_out(
    made: ExitStack, tmp_path: Path
) -> None:
    """Its lock file is not seen there: the lease alone tells."""
    fleet = make_fleet(made, tmp_path)
    fleet.submit(chain(8, 0.3), 2)
    lost = fleet.start("-c", "2", VAR_DIR=tmp_path / "elsewhere")
    fleet.wait_until(lambda: len(fleet.world("done")) >= 2)
    fleet.start("-c", "2")
    time.sleep(2)
    lost.kill()
    killed_at = time.monotonic()
    mine = {number for number, owner in fleet.owners().items() if f":{lost.pid}/" in (owner or "")}
    assert mine
    fleet.wait_until(
        lambda: not any(f":{lost.pid}/" in (owner or "") for owner in fleet.owners().values()), 20
    )
    assert time.monotonic() - killed_at <= LEASE_SECONDS + 4
    fleet.wait()
    fleet.check(8, killed=True)


@pytest.mark.timeout(240)
def test_redis_gives_messages_again_amid_their_runs_and_no_step_is_done_twice(
    made: ExitStack, tmp_path: Path
) -> None:
    fleet = make_fleet(made, tmp_path, "redis")
    fleet.settings["CELERY_BROKER_URL"] += "?visibility_timeout=1"
    fleet.submit(chain(10, 0.4), 6)
    for _ in range(2):
        fleet.start("-c", "4")
    fleet.wait()
    fleet.check(10)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["embedded", "rabbitmq"])
def test_a_task_that_kills_its_worker_is_given_up_and_others_go_on(
    made: ExitStack, tmp_path: Path, kind: str
) -> None:
    # A lease that a busy machine can keep: one that runs out counts as a worker that was lost.
    fleet = make_fleet(made, tmp_path, kind, LEASE_SECONDS=20)
    [poisoned] = fleet.submit(POISON)
    # Some get nowhere before the poison works, and are lost with it each time.
    others = fleet.submit(chain(3, 3.0), 2) + fleet.submit(chain(10, 0.2), 2)
    stopping = threading.Event()

    def supervise() -> None:
        while not stopping.wait(0.2):
            if len(fleet.living()) < 1:
                fleet.start("-c", "5")

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        fleet.wait_until(lambda: fleet.status(poisoned) == "failed")
        fleet.wait_until(lambda: all(fleet.status(each) == "completed" for each in others))
    finally:
        stopping.set()
        supervisor.join()
    assert fleet.server is not None
    row = find_task(fleet.server.workplace, poisoned)
    assert row.error is not None and "worker was lost 3 times" in row.error
    assert fleet.world("poison") == {(poisoned, 2): 3}
    fleet.ids = others
    fleet_lines = fleet.world("done")
    assert len(fleet_lines) == 26


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["rabbitmq", "redis", "embedded"])
def test_workers_are_replaced_one_after_the_other_and_nothing_is_done_twice(
    made: ExitStack, tmp_path: Path, kind: str
) -> None:
    fleet = make_fleet(made, tmp_path, kind, LEASE_SECONDS=90)
    fleet.submit(chain(10, 0.2), 12)
    old = [fleet.start("-c", "4", "--json") for _ in range(2)]
    fleet.wait_until(lambda: len(fleet.world("done")) > 8)
    for process in old:
        fleet.start("-c", "4", "--json")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert fleet.takeovers() == 0
    # No lease had to run out: what was given back is taken by others at once.
    fleet.wait(seconds=80)
    fleet.check(10)
    fleet.stop()
    documents = fleet.said()
    assert sum(each["ended"] for each in documents) == 12
    assert sum(each["given_back"] for each in documents) > 0
    assert all(each["left"] == 0 for each in documents)


@pytest.mark.timeout(240)
def test_a_second_signal_ends_a_worker_amid_its_step(made: ExitStack, tmp_path: Path) -> None:
    fleet = make_fleet(made, tmp_path, LEASE_SECONDS=30, SHUTDOWN_SECONDS=60)
    fleet.submit(chain(1, 25.0, "look"))
    process = fleet.start("-c", "1")
    fleet.wait_until(lambda: fleet.status(fleet.ids[0]) == "running")
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 130
    assert list(fleet.owners().values()) == [None]
    fleet.start("-c", "1")
    fleet.wait()


@pytest.mark.timeout(240)
def test_clocks_that_differ_by_a_minute_take_no_run_away(made: ExitStack, tmp_path: Path) -> None:
    fleet = make_fleet(made, tmp_path)
    fleet.submit(chain(12, 0.4), 8)
    for seconds in (60, -60):
        shifted = (
            "import time; _time, _ns = time.time, time.time_ns;"
            f"time.time = lambda: _time() + {seconds};"
            f"time.time_ns = lambda: _ns() + {seconds} * 10**9"
        )
        # Another folder each: no lock file tells of the other.
        fleet.start("-c", "4", before=shifted, VAR_DIR=tmp_path / str(seconds))
    fleet.wait()
    fleet.check(12)


@pytest.mark.parametrize(("revision", "words"), [("0001", "make migrate"), ("9999", "newer than")])
def test_a_database_of_another_version_is_refused(
    made: ExitStack, tmp_path: Path, revision: str, words: str
) -> None:
    fleet = make_fleet(made, tmp_path)
    with fleet.database.write() as connection:
        connection.execute(alembic_version.update().values(version_num=revision))
    assert fleet.start("-c", "1").wait(30) == 2
    assert words in fleet.log


def test_a_worker_of_some_namespaces_leaves_the_others_alone(made: ExitStack, tmp_path: Path) -> None:
    fleet = make_fleet(made, tmp_path)
    server = fleet.open_server()
    create_namespace(server.workplace, "billing", ["put"])
    [other] = fleet.submit(chain(1, 0.01))
    [mine] = fleet.submit(chain(1, 0.01), namespace="billing")
    fleet.start("-c", "2", "--namespaces", "billing")
    fleet.wait_until(lambda: fleet.status(mine) == "completed")
    time.sleep(1.5)
    assert fleet.status(other) == "queued"
    fleet.start("-c", "1")
    fleet.wait()
