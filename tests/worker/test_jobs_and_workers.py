"""Jobs are claimed once, kept, given back and taken over; worker threads see runs to their end."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from databases import KINDS, shared_database

sys.path.insert(0, str(Path(__file__).parent.parent / "services"))

from place import make_workplace

from app.db.base import TaskRow
from app.db.jobs import SqlJobs
from app.db.serving import Job, JobTable
from app.db.session import open_database
from app.errors import Busy
from app.queue.embedded import EmbeddedQueue
from app.services.namespaces import create_namespace
from app.services.queueing import queue_run
from app.services.tasks import NewTask, find_task, submit_task
from app.services.workplace import Workplace
from app.tools import ToolContext, tool
from app.worker.threads import WorkerThreads

PATIENCE = 20.0


@pytest.fixture(params=KINDS)
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobTable]:
    database = open_database(shared_database(request.param, tmp_path))
    yield SqlJobs(database)
    database.close()


def claimed(jobs: JobTable, owner: str = "me", **options: Any) -> str | None:
    claim = jobs.claim(owner, 30, **options)
    return None if claim is None else claim.job.task_id


def test_the_most_urgent_comes_first_and_each_once(jobs: JobTable) -> None:
    for name, priority in (("a", 0), ("b", 5), ("c", 0)):
        jobs.put(Job(name, "main", priority=priority))
    jobs.put(Job("a", "main", priority=9))  # it waits already
    assert [claimed(jobs) for _ in range(4)] == ["b", "a", "c", None]


def test_what_is_not_kept_is_taken_over_and_counted(jobs: JobTable) -> None:
    jobs.put(Job("a", "main"))
    first = jobs.claim("me", 0.05)
    assert first is not None
    assert first.takeovers == 0
    time.sleep(0.1)
    second = jobs.claim("you", 30)
    assert second is not None
    assert (second.number, second.takeovers) == (first.number, 1)
    jobs.remove(first.number, "me")  # not ours any more
    assert jobs.move(first.number, "me", "other") is False
    assert jobs.renew("me", 30) == 0
    assert jobs.renew("you", 30) == 1
    assert jobs.owners() == {"you"}
    assert jobs.disown("you") == 1
    assert claimed(jobs, "me") == "a"


def test_what_is_given_back_waits_as_long_as_it_should(jobs: JobTable) -> None:
    jobs.put(Job("a", "main"))
    claim = jobs.claim("me", 30)
    assert claim is not None
    jobs.give_back(claim.number, "me", 60)
    assert claimed(jobs) is None
    jobs.withdraw("a")
    jobs.put(Job("a", "main"))
    assert claimed(jobs) == "a"


def test_a_full_namespace_waits_and_a_full_backlog_refuses(jobs: JobTable) -> None:
    jobs.put(Job("a", "main", "billing"))
    jobs.put(Job("b", "main", None))
    with pytest.raises(Busy):
        jobs.put(Job("c", "main"), most=2)
    assert claimed(jobs, limits={"billing": 0}) == "b"
    assert claimed(jobs, limits={"billing": 0}) is None
    assert claimed(jobs, namespaces=["other"]) is None
    assert claimed(jobs, namespaces=["billing"]) == "a"
    assert jobs.backlog().running == {"billing": 1, None: 1}
    jobs.put(Job("d", "main", "billing"))
    assert claimed(jobs, limits={"billing": 1}) is None
    assert claimed(jobs, limits={"billing": 2}) == "d"


def test_no_job_is_claimed_twice_by_many_at_once(jobs: JobTable) -> None:
    for number in range(40):
        jobs.put(Job(f"task {number}", "main"))

    def take(owner: int) -> list[str]:
        found = []
        while (name := claimed(jobs, f"worker {owner}")) is not None:
            found.append(name)
        return found

    with ThreadPoolExecutor(4) as pool:
        taken = [name for each in pool.map(take, range(4)) for name in each]
    assert sorted(taken) == sorted(f"task {number}" for number in range(40))


class Farm:
    """Worker threads over a workplace whose tool waits to be let go."""

    def __init__(self, folder: Path) -> None:
        self.open = threading.Event()
        self.begun: list[str] = []

        @tool(effect="read")
        def gate(context: ToolContext) -> str:
            """Waits."""
            self.begun.append(context.task_id)
            while not self.open.is_set():
                context.cancellation.raise_if_requested()
                context.cancellation.wait(0.01)
            return "passed"

        self.place, self._database = make_workplace(folder, [gate], lease_seconds=2.0)
        self.jobs = SqlJobs(self._database)
        self.queue = EmbeddedQueue(self.jobs)
        self._workers: list[WorkerThreads] = []

    def workers(self, threads: int = 2) -> WorkerThreads:
        made = WorkerThreads(self.place, self.jobs, self.queue, threads=threads)
        made.start()
        self._workers.append(made)
        return made

    def submit(self, namespace: str | None = None) -> TaskRow:
        steps = [
            {"seq_no": 1, "type": "calling", "parameters": {"tool_name": "gate", "output_vars": "a"}},
            {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "${a}"}},
        ]
        row = submit_task(self.place, NewTask("g", json.dumps(steps), namespace))
        queue_run(self.place, self.queue, row, "main")
        return row

    def status(self, row: TaskRow) -> str:
        return find_task(self.place, row.id).status

    def close(self) -> None:
        self.open.set()
        for workers in self._workers:
            workers.stop(PATIENCE)
        self._database.close()


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path)
    yield farm
    farm.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_runs_are_seen_to_their_end_as_many_at_once_as_there_are_threads(farm: Farm) -> None:
    rows = [farm.submit() for _ in range(5)]
    workers = farm.workers(2)
    until(lambda: len(farm.begun) == 2)
    time.sleep(0.2)
    assert (len(farm.begun), workers.under_way) == (2, 2)
    farm.open.set()
    until(lambda: all(farm.status(row) == "completed" for row in rows))
    until(lambda: farm.jobs.backlog() == (0, 0, {}))


def test_a_worker_that_stops_gives_its_runs_back(farm: Farm) -> None:
    row = farm.submit()
    first = farm.workers(1)
    until(lambda: len(farm.begun) == 1)
    threading.Timer(0.3, farm.open.set).start()
    first.stop(PATIENCE)
    assert farm.jobs.backlog().waiting == 1
    farm.workers(1)
    until(lambda: farm.status(row) == "completed")
    assert farm.begun == [row.id]  # the step that was under way was finished, and not done again


def test_a_namespace_has_no_more_runs_than_it_may(farm: Farm) -> None:
    create_namespace(farm.place, "small", ["gate"], policies={"running": 1})
    rows = [farm.submit("small") for _ in range(2)]
    farm.workers(3)
    until(lambda: len(farm.begun) == 1)
    time.sleep(0.8)
    assert len(farm.begun) == 1
    farm.open.set()
    until(lambda: all(farm.status(row) == "completed" for row in rows))


def test_the_jobs_of_a_dead_process_are_taken_at_once(farm: Farm) -> None:
    row = farm.submit()
    dead = farm.place.presence.owner + "x"
    assert farm.jobs.claim(dead, 600) is not None
    presence = Dead(farm.place, dead)
    farm.place = replace(farm.place, presence=presence)  # type: ignore[arg-type]
    farm.open.set()
    farm.workers(1)
    until(lambda: farm.status(row) == "completed")


def test_who_fell_silent_is_waited_for_no_longer_than_its_lease(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another machine's process nobody knows that it died; its branch's lease ends after its job's claim."""
    waits: list[float] = []
    give_back = farm.jobs.give_back

    def noted(number: int, owner: str, seconds: float = 0.0) -> None:
        waits.append(seconds)
        give_back(number, owner, seconds)

    monkeypatch.setattr(farm.jobs, "give_back", noted)
    row = farm.submit()
    assert farm.jobs.claim("elsewhere:1", 0.1) is not None
    farm.place.leases.acquire(row.id, "main", "elsewhere:1/1", 1.2)
    farm.open.set()
    farm.workers(1)
    until(lambda: farm.status(row) == "completed")
    assert waits and all(0.1 <= seconds <= 1.2 for seconds in waits)


class Dead:
    """Knows of one process that has died."""

    def __init__(self, place: Workplace, dead: str) -> None:
        self._presence = place.presence
        self._dead = dead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._presence, name)

    def is_dead(self, owner: str) -> bool:
        return owner == self._dead
