"""From a goal and a plan to an answer, through the services: runs, forks, decisions, replays, diffs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace

from app.db.base import TaskRow
from app.errors import (
    Ambiguous,
    BranchMoved,
    Conflict,
    InputError,
    InvalidValue,
    LeaseHeld,
    NotFound,
    PlanRejected,
    StorageError,
)
from app.services.branches import delete_branch, fork_branch, list_branches
from app.services.deletion import delete_task
from app.services.diffs import diff_revisions
from app.services.inspect import read_log, show_task
from app.services.namespaces import create_namespace, update_namespace
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, list_tasks, submit_task
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts


@tool(effect="read")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@tool(effect="irreversible")
def send(what: Any) -> str:
    """Always loses the line."""
    raise OSError("line went dead")


TOOLS = [look, send]


@pytest.fixture(params=["sql", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workplace]:
    workplace, database = make_workplace(tmp_path, TOOLS, history_backend=request.param)
    yield workplace
    database.close()


def plan(*steps: tuple[str, dict[str, Any]]) -> str:
    return json.dumps([{"seq_no": n, "type": kind, "parameters": p} for n, (kind, p) in enumerate(steps)])


SIMPLE = plan(
    ("assign", {"a": 1}),
    ("calling", {"tool_name": "look", "tool_params": {"value": "${a}"}, "output_vars": "b"}),
    ("assign", {"final_answer": "${{ a + b }}"}),
)

SENDS = plan(
    ("calling", {"tool_name": "send", "tool_params": {"what": "money"}, "output_vars": "receipt"}),
    ("assign", {"final_answer": "${receipt}"}),
)


def submit(place: Workplace, text: str = SIMPLE, **more: Any) -> TaskRow:
    return submit_task(place, NewTask(goal="a goal", plan=text, **more))


def run(place: Workplace, task: TaskRow, branch: str = "main", **options: Any) -> RunReport:
    return run_branch(place, task, branch, RunOptions(Interrupts(), **options))


def test_a_task_runs_to_its_answer(place: Workplace) -> None:
    task = submit(place)
    assert find_task(place, task.id).status == "queued"
    report = run(place, task)
    assert (report.status, report.final_answer, report.steps) == ("completed", 2, 3)
    assert report.to_json()["usage"] == {"model_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost": 0.0}
    row = find_task(place, task.id)
    assert (row.status, row.steps, row.error) == ("completed", 3, None)
    again = run(place, task)
    assert again == report


def test_a_rejected_plan_leaves_nothing(place: Workplace) -> None:
    with pytest.raises(PlanRejected) as caught:
        submit(place, plan(("assign", {"a": "${b}"})))
    assert {finding.code for finding in caught.value.findings} >= {"P005"}
    assert not list_tasks(place, None, 10)


@pytest.mark.parametrize(
    "more",
    [{"goal": "  "}, {"goal": "x" * 200_000}, {"goal": "\ud800"}, {"max_steps": 0}, {"namespace": "nowhere"}],
    ids=["empty", "long", "surrogate", "no steps", "no namespace"],
)
def test_wrong_input_is_refused_before_anything_is_made(place: Workplace, more: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        submit_task(place, NewTask(**{"goal": "g", "plan": SIMPLE, **more}))
    assert not list_tasks(place, None, 10)


def test_a_namespace_is_enforced_at_the_check_and_at_the_call(place: Workplace) -> None:
    create_namespace(place, "quiet", ["s*"])
    with pytest.raises(PlanRejected):
        submit(place, namespace="quiet")
    update_namespace(place, "quiet", allowed_tools=["look"])
    task = submit(place, namespace="quiet")
    update_namespace(place, "quiet", allowed_tools=[])
    report = run(place, task)
    assert report.status == "failed"
    assert report.error is not None
    assert "not allow" in report.error["message"]


def test_a_task_is_found_by_a_prefix_that_only_it_has(place: Workplace) -> None:
    first, second = submit(place), submit(place)
    assert find_task(place, first.id[:8]) == first
    with pytest.raises(Ambiguous):
        find_task(place, "0000")
    with pytest.raises(NotFound):
        find_task(place, "ffff")
    assert [row.id for row in list_tasks(place, None, 10)] == [second.id, first.id]
    with pytest.raises(InputError):
        list_tasks(place, "sleeping", 10)


def test_a_fork_goes_its_own_way(place: Workplace) -> None:
    task = submit(place)
    run(place, task)
    view = fork_branch(place, task, "main~1", "other")
    assert view.status == "paused"
    report = run(place, task, "other")
    assert report.final_answer == 2
    branches = {branch.name: branch for branch in list_branches(place, find_task(place, task.id))}
    assert branches["main"].commit == branches["other"].commit
    assert branches["other"].is_current
    with pytest.raises(Conflict):
        fork_branch(place, task, "main", "other")
    with pytest.raises(Conflict):
        fork_branch(place, task, "main", "other/below")
    with pytest.raises(NotFound):
        fork_branch(place, task, "nothing", "third")
    delete_branch(place, find_task(place, task.id), "other")
    assert find_task(place, task.id).current_branch == "main"
    with pytest.raises(Conflict, match="only branch"):
        delete_branch(place, task, "main")


def test_show_tells_what_became_of_each_step(place: Workplace) -> None:
    task = submit(place, plan(("assign", {"a": 1}), ("assign", {"b": "${{ 1 / (a - 1) }}"}),
                              ("assign", {"final_answer": 1})))  # fmt: skip
    run(place, task)
    view = show_task(place, find_task(place, task.id), None)
    assert [step.state for step in view.steps] == ["done", "failed", "pending"]
    assert view.status == "failed"
    assert view.variables == {"a": 1}
    earlier = show_task(place, task, "main~2")
    assert [step.state for step in earlier.steps] == ["next", "pending", "pending"]
    assert earlier.branch is None
    assert json.loads(json.dumps(view.to_json()))["error"]["step"] == 1


def test_the_log_has_one_entry_a_commit_newest_first(place: Workplace) -> None:
    task = submit(place)
    run(place, task)
    entries = [entry.to_json() for entry in read_log(place, task, None, with_records=True)]
    assert [entry["kind"] for entry in entries] == ["step", "step", "step", "plan", "goal"]
    assert [entry["seq_no"] for entry in entries] == [2, 1, 0, None, None]
    assert entries[1]["record"]["value"] == 1
    assert entries[-1]["parent"] is None
    assert entries[-1]["author"] == "tester"


def test_a_diff_has_three_levels(place: Workplace) -> None:
    task = submit(place)
    run(place, task)
    difference = diff_revisions(place, task, "main~1", None).to_json()
    assert difference["plan"]["steps"] == [] or not difference["plan"].get("changed")
    assert difference["state"]["variables"] == [
        {"name": "final_answer", "change": "added", "old": None, "new": 2}
    ]
    assert "+2" in difference["text"]


def test_a_run_that_waits_goes_on_after_a_decision(place: Workplace) -> None:
    task = submit(place, SENDS)
    with pytest.raises(Conflict, match="waits for no decision"):
        decide(place, task, "main", Decision("skip", 1))
    report = run(place, task)
    assert report.status == "waiting"
    assert report.waiting is not None
    assert find_task(place, task.id).status == "waiting"
    waiting = show_task(place, task, None).to_json()["waiting"]
    assert waiting["tool"] == "send"
    assert waiting["inputs"] == {"what": "money"}
    assert {choice["choice"] for choice in waiting["choices"]} == {"run", "skip", "fail"}
    with pytest.raises(Conflict, match="no earlier result"):
        decide(place, task, "main", Decision("reuse"))
    with pytest.raises(InvalidValue):
        decide(place, task, "main", Decision("skip", float("nan")))
    decided = decide(place, task, "main", Decision("skip", {"id": 9}))
    assert decided.to_json()["step"] == 0
    with pytest.raises(Conflict):
        decide(place, task, "main", Decision("skip", 2))
    assert run(place, task).final_answer == {"id": 9}
    assert replay_branch(place, task, None)[1].divergence is None


def test_a_decision_can_reuse_an_earlier_result(place: Workplace) -> None:
    task = submit(place, SENDS)
    run(place, task)
    decide(place, task, "main", Decision("skip", "receipt 1"))
    run(place, task)
    fork_branch(place, task, "main~3", "again")
    assert run(place, task, "again").status == "waiting"
    decide(place, task, "again", Decision("reuse"))
    report = run(place, task, "again")
    assert report.final_answer == "receipt 1"
    assert replay_branch(place, task, "again")[1].divergence is None


def test_a_raised_limit_is_a_decision(place: Workplace) -> None:
    task = submit(place, max_steps=1)
    report = run(place, task)
    assert report.status == "failed"
    stopped = report.head
    assert run(place, task).head == stopped  # nothing new happened
    report = run(place, task, max_steps=10)
    assert report.status == "completed"
    kinds = [entry.commit.kind for entry in read_log(place, task, None)][::-1]
    assert kinds == ["goal", "plan", "step", "stop", "decision", "step", "step"]
    assert replay_branch(place, task, None)[1].divergence is None


def test_two_workers_never_perform_the_same_step(tmp_path: Path) -> None:
    calls: list[int] = []

    @tool(effect="write")
    def slow(n: int) -> int:
        """Takes a while."""
        calls.append(n)
        time.sleep(0.01)
        return n

    steps = [("calling", {"tool_name": "slow", "tool_params": {"n": n}}) for n in range(20)]
    place, database = make_workplace(tmp_path, [slow])
    task = submit(place, plan(*steps, ("assign", {"final_answer": "done"})))
    reports: list[RunReport] = []

    def work() -> None:
        reports.append(run(place, task, on_held=lambda held: None))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert calls == list(range(20))
    assert len({report.head for report in reports}) == 1
    database.close()


def test_a_held_lease_is_named_and_a_lost_one_fences_off(tmp_path: Path) -> None:
    taken: list[int] = []

    @tool(effect="read")
    def steal() -> str:
        """Meanwhile the lease runs out and somebody else takes over."""
        time.sleep(0.25)
        taken.append(place.leases.acquire(task.id, "main", "thief", 30))
        with open_store() as store:
            store.raise_fence("refs/heads/main", taken[0])
        return "late"

    from contextlib import contextmanager

    @contextmanager
    def open_store() -> Iterator[Any]:
        store = place.stores["sql"].open(task.id)
        yield store
        store.close()

    place, database = make_workplace(tmp_path, [steal], lease_seconds=0.2)
    place.leases.renew = lambda *_: None  # type: ignore[method-assign]  # a worker that was stalled
    task = submit(place, plan(("calling", {"tool_name": "steal", "output_vars": "final_answer"})))
    with pytest.raises(BranchMoved):
        run(place, task)
    assert find_task(place, task.id).status == "running"  # what the thief says of it is not ours to change
    with pytest.raises(LeaseHeld, match="thief"):
        run(place, task)
    kinds = [entry.commit.kind for entry in read_log(place, task, None)]
    assert kinds == ["plan", "goal"]
    database.close()


def test_deleting_a_task_leaves_nothing_behind(place: Workplace) -> None:
    task = submit(place)
    run(place, task)
    delete_task(place, task)
    with pytest.raises(NotFound):
        find_task(place, task.id)
    with pytest.raises(NotFound):
        place.stores[task.store].open(task.id)


def test_a_history_of_an_unknown_kind_is_one_clear_error(place: Workplace) -> None:
    task = submit(place)
    elsewhere = replace(task, store="tape")
    for act in (list_branches, delete_task):
        with pytest.raises(StorageError, match="'tape'"):
            act(place, elsewhere)
    assert find_task(place, task.id) == task
