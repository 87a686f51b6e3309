"""A run is paused or cancelled from outside: by asking whoever runs it, or here where nobody does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace

from app import crash_points
from app.db.base import TaskRow
from app.errors import Conflict, InputError
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.steering import cancel_run, pause_run
from app.services.tasks import NewTask, find_task, open_repository, submit_task
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import ToolContext, tool
from app.vm.events import StopRequested
from app.vm.interrupts import Interrupts

PATIENCE = 20.0


class Stage:
    """Tools that say when they begin and wait until they may end."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()
        self.ended: list[str] = []

    def tools(self) -> list[Any]:
        @tool(effect="read")
        def heed(context: ToolContext) -> str:
            """Ends when it is told to."""
            self.begun.set()
            while not self.open.is_set():
                if context.cancellation.wait(0.01):
                    self.ended.append("told")
                    context.cancellation.raise_if_requested()
            return "done"

        @tool(effect="read")
        def ignore() -> str:
            """Knows nothing of being told."""
            self.begun.set()
            self.open.wait(PATIENCE)
            return "done"

        @tool(effect="irreversible")
        def send(to: str) -> str:
            """Loses the line."""
            raise OSError("line went dead")

        return [heed, ignore, send]


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.open.set()


@pytest.fixture(params=["sql", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path, stage: Stage) -> Iterator[Workplace]:
    workplace, database = make_workplace(tmp_path, stage.tools(), history_backend=request.param)
    yield workplace
    database.close()


def submit(place: Workplace, name: str = "heed", **params: Any) -> TaskRow:
    steps = [
        ("calling", {"tool_name": name, "tool_params": params, "output_vars": "a"}),
        ("assign", {"final_answer": "${a}"}),
    ]
    text = json.dumps([{"seq_no": n, "type": kind, "parameters": p} for n, (kind, p) in enumerate(steps, 1)])
    return submit_task(place, NewTask(goal="a goal", plan=text))


class Running:
    """A run in a thread, as a server has it."""

    def __init__(self, place: Workplace, task: TaskRow, stage: Stage) -> None:
        self.report: RunReport | None = None
        self.events: list[Any] = []
        interrupts = Interrupts(lambda asked: self.events.append(StopRequested(asked.request, asked.who)))

        def work() -> None:
            self.report = run_branch(place, task, "main", RunOptions(interrupts))

        self.thread = threading.Thread(target=work)
        self.thread.start()
        assert stage.begun.wait(PATIENCE)

    def end(self) -> RunReport:
        self.thread.join(PATIENCE)
        assert self.report is not None
        return self.report


def soon(stage: Stage) -> Callable[[str], None]:
    """Lets the tool end a moment after the run was asked."""
    return lambda owner: threading.Timer(1.0, stage.open.set).start()


def test_a_run_pauses_behind_the_step_under_way(place: Workplace, stage: Stage) -> None:
    task = submit(place)
    running = Running(place, task, stage)
    steered = pause_run(place, task, None, on_asked=soon(stage))
    report = running.end()
    assert (report.status, steered.status, steered.steps) == ("paused", "paused", 1)
    assert steered.commit == report.head
    assert steered.was_asked is not None
    assert running.events == [StopRequested("pause", "tester")]
    assert find_task(place, task.id).status == "paused"
    again = run_branch(place, task, "main", RunOptions(Interrupts()))
    assert (again.status, again.final_answer) == ("completed", "done")
    assert replay_branch(place, task, None)[1].divergence is None


@pytest.mark.parametrize("name", ["heed", "ignore"])
def test_a_cancellation_reaches_what_runs_and_is_a_commit(place: Workplace, stage: Stage, name: str) -> None:
    task = submit(place, name)
    running = Running(place, task, stage)
    began = time.monotonic()
    steered = cancel_run(place, task, None)
    assert time.monotonic() - began < 8  # a tool that does not heed is given up
    report = running.end()
    assert (report.status, steered.status) == ("cancelled", "cancelled")
    assert report.error == {"step": 1, "tool": None, "message": "cancelled by tester", "item": None}
    assert stage.ended == (["told"] if name == "heed" else [])
    with open_repository(place, task) as repository:
        newest = repository.commit(repository.head("main"))
    assert (newest.kind, newest.subject) == ("stop", "stop: cancelled by tester")
    assert newest.author.startswith("tester")
    assert find_task(place, task.id).status == "cancelled"
    assert replay_branch(place, task, None)[1].divergence is None
    assert run_branch(place, task, "main", RunOptions(Interrupts())).status == "cancelled"


def test_a_second_request_says_who_asked_first(place: Workplace, stage: Stage) -> None:
    task = submit(place)
    running = Running(place, task, stage)
    assert pause_run(place, task, None, wait=False).status == "running"
    with pytest.raises(Conflict, match="tester asked it to pause already"):
        pause_run(place, task, None)
    threading.Timer(1.0, stage.open.set).start()
    assert running.end().status == "paused"
    with pytest.raises(Conflict, match="is paused; there is nothing to pause"):
        pause_run(place, task, None)


def test_what_nobody_runs_is_cancelled_here_and_once(place: Workplace) -> None:
    task = submit(place)
    assert cancel_run(place, task, None).status == "cancelled"
    assert replay_branch(place, task, None)[1].divergence is None
    with pytest.raises(Conflict, match="is cancelled; there is nothing to cancel"):
        cancel_run(place, task, "main")
    with pytest.raises(InputError):
        cancel_run(place, task, "nowhere")


def test_what_waits_can_be_cancelled_but_not_paused(place: Workplace) -> None:
    task = submit(place, "send", to="ann")
    assert run_branch(place, task, "main", RunOptions(Interrupts())).status == "waiting"
    with pytest.raises(Conflict, match="waits for a decision"):
        pause_run(place, task, None)
    assert cancel_run(place, task, None).status == "cancelled"
    with pytest.raises(Conflict, match="waits for no decision"):
        decide(place, task, "main", Decision("run"))


def test_a_run_that_ends_first_says_so(place: Workplace, stage: Stage) -> None:
    task = submit(place)
    running = Running(place, task, stage)
    with (
        place_that_never_hears(place),
        pytest.raises(Conflict, match="before it could be paused: it is completed"),
    ):
        pause_run(place, task, None, on_asked=lambda owner: stage.open.set())
    assert running.end().status == "completed"


class place_that_never_hears:  # noqa: N801 - reads as words
    """The heartbeat looks too late: the request stands, and is never heard."""

    def __init__(self, place: Workplace) -> None:
        self._leases: Any = place.leases

    def __enter__(self) -> None:
        self._leases.asked = lambda *where: None

    def __exit__(self, *_: object) -> None:
        del self._leases.asked


def test_a_dead_worker_is_paused_for(place: Workplace) -> None:
    task = submit(place)
    place.leases.acquire(task.id, "main", "ann@elsewhere:1/abc", 0.5)
    place.tasks.note_run(task.id, "main", "running", 1)
    steered = pause_run(place, task, None)
    assert steered.status == "paused"
    assert steered.was_asked == "ann@elsewhere:1/abc"


def test_who_dies_when_the_cancellation_is_durable_has_cancelled(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = submit(place)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setitem(crash_points.armed, "stop.committed", die)
        cancel_run(place, task, None)
    assert find_task(place, task.id).status == "queued"
    with pytest.raises(Conflict, match="is cancelled; there is nothing to cancel"):
        cancel_run(place, task, None)
    assert find_task(place, task.id).status == "cancelled"
    assert replay_branch(place, task, None)[1].divergence is None


class Died(BaseException):
    """Stands for the kernel's kill."""


def die() -> None:
    raise Died
