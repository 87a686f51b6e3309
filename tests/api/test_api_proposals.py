"""``/api/tasks/{id}/proposals``: what a revision will do, who approves it, and that it runs once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call

from app import crash_points
from app.api.proposal_models import ApprovedOut, CommentOut, CommentsOut, ProposalOut, ProposalsOut
from app.db.base import TaskRow
from app.errors import Busy
from app.history.base import RefMove
from app.services import approvals, proposals
from app.services.branches import list_branches
from app.services.edits import set_variables
from app.services.queueing import run_claimed
from app.services.runs import RunOptions, run_branch
from app.services.tasks import open_repository
from app.tools import tool
from app.vm.interrupts import Interrupts

STEPS = [
    assign(0, name="a"),
    call(1, "look", "seen", {"value": "${name}"}),
    call(2, "look", "other", {"value": "fixed"}),
    call(3, "note", "noted", {"value": "${other}"}),
    call(4, "send", "sent", {"value": "${seen}"}),
    call(5, "look", "last", {"value": "${sent}"}),
    assign(6, final_answer="${seen} ${other}"),
]


@tool(effect="write")
def note(value: Any) -> Any:
    """Written, and written again."""
    return value


@tool(effect="read")
def unheard(value: Any) -> Any:
    """Nobody has called it."""
    return value


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path, [note, unheard]) as server:
        yield server


@pytest.fixture
def task(served: LookServer) -> TaskRow:
    return served.run(*STEPS)


def url(task: TaskRow, *parts: object) -> str:
    return "/".join([f"/api/tasks/{task.id}/proposals", *map(str, parts)])


CHANGE = {"step": 1, "set": [{"path": "parameters.tool_params.value", "value": "b"}]}


def branches(served: LookServer, task: TaskRow) -> list[str]:
    return [view.name for view in list_branches(served.place, task)]


def work(served: LookServer) -> list[str]:
    """What a worker would do: every job that waits, to its end."""
    ended = []
    while (claim := served.jobs.claim("worker", 60)) is not None:
        report = run_claimed(served.place, claim.job, Interrupts(), None)
        served.jobs.remove(claim.number, "worker")
        ended.append(f"{claim.job.branch} {report.status if report is not None else 'gone'}")
    return ended


def test_a_proposal_says_what_each_step_will_do_and_runs_nothing(served: LookServer, task: TaskRow) -> None:
    before = served.place.tasks.get(task.id)
    made = served.post(url(task), CHANGE, 201)
    ProposalOut.model_validate(made)
    assert made["status"] == "open" and made["kind"] == "step" and made["revises"] == "main"
    assert (made["created_by"], made["kept"], made["base_moved"]) == ("local", 1, False)
    wills = {step["seq_no"]: step["will"] for step in made["steps"]}
    assert wills == {0: "kept", 1: "run", 2: "reuse", 3: "run", 4: "ask", 5: "may_run", 6: "compute"}
    happened = {step["seq_no"]: [each["effect"] for each in step["happened"]] for step in made["steps"]}
    assert {number: each for number, each in happened.items() if each} == {3: ["write"], 4: ["irreversible"]}
    assert [step["calls"][0]["reason"] for step in made["steps"] if step["seq_no"] == 4] == [
        "waits for a decision"
    ]
    assert made["plan"]["steps"][1]["parameters"]["tool_params"] == {"value": "b"}
    assert served.get(url(task, made["number"])) == made
    assert (branches(served, task), work(served)) == (["main"], [])
    assert served.place.tasks.get(task.id) == before


def test_a_proposal_says_what_the_same_calls_took(served: LookServer, task: TaskRow) -> None:
    made = served.post(url(task), CHANGE, 201)
    earlier = {step["seq_no"]: step["calls"][0]["earlier"] for step in made["steps"] if step["calls"]}
    assert set(earlier) == {1, 2, 3, 4, 5}
    records = [
        each["record"] for each in served.get(f"/api/tasks/{task.id}/commits", records="true")["items"]
    ]
    took = {each["seq_no"]: each["ended_ms"] - each["started_ms"] for each in records if "ended_ms" in each}
    assert {number: each["duration_ms"] for number, each in earlier.items()} == took
    assert all(milliseconds > 0 for milliseconds in took.values())
    costs = made["costs"]
    assert costs["saved"]["duration_ms"] == took[2]
    assert costs["expected"]["duration_ms"] == took[1] + took[3]
    assert (costs["possible"]["duration_ms"], costs["unknown"]) == (took[4] + took[5], 0)


def test_of_a_new_call_the_tool_s_last_one_tells_what_it_may_take(served: LookServer, task: TaskRow) -> None:
    steps = [*STEPS[:1], call(9, "look", "new", {"value": 99}), call(10, "think", "final_answer")]
    served.post(url(task), {"plan": {"version": 1, "steps": steps}}, 422)
    steps[2] = call(10, "unheard", "final_answer", {"value": 1})
    made = served.post(url(task), {"plan": steps}, 201)
    calls = {step["seq_no"]: step["calls"] for step in made["steps"]}
    assert calls[9][0]["earlier"]["duration_ms"] > 0
    assert (calls[10][0]["earlier"], made["costs"]["unknown"]) == (None, 1)


def test_an_approved_proposal_runs(served: LookServer, task: TaskRow) -> None:
    made = served.post(url(task), {**CHANGE, "irreversible": "run", "name": "try/b"}, 201)
    done = served.post(url(task, made["number"], "approve"), None, 202, priority=3)
    ApprovedOut.model_validate(done)
    assert (done["branch"], done["queued"], done["status"]) == ("try/b", True, "approved")
    assert served.place.tasks.get(task.id).status == "queued"
    assert work(served) == ["try/b completed"]
    answer = served.get(f"/api/tasks/{task.id}/commits/try%2Fb/variables/final_answer")["value"]
    assert answer == "b fixed"
    record = served.get(f"/api/tasks/{task.id}/commits/{done['commit']}/record")
    assert (record["who"], record["revises"]) == ("local", {"branch": "main", "commit": made["base"]})
    shown = served.get(url(task, made["number"]))
    assert (shown["status"], shown["branch"]) == ("approved", "try/b")


def test_what_was_approved_or_discarded_is_decided(served: LookServer, task: TaskRow) -> None:
    first, second = (served.post(url(task), CHANGE, 201)["number"] for _ in range(2))
    served.post(url(task, first, "approve"), None, 202)
    for action in ("approve", "discard"):
        assert served.post(url(task, first, action), None, 409)["code"] == "conflict"
    assert served.post(url(task, second, "discard"))["status"] == "discarded"
    for action in ("approve", "discard"):
        served.post(url(task, second, action), None, 409)
    assert len(branches(served, task)) == 2


def test_a_proposal_whose_base_has_moved_is_refused(served: LookServer) -> None:
    row = served.run(assign(0, a=1), call(1, "look", "final_answer", {"value": 3}))
    number = served.post(url(row), {"step": 0, "set": [{"path": "parameters.a", "value": 2}]}, 201)["number"]
    set_variables(served.place, row, {"a": 5}, "main~1", "main2")
    assert not served.get(url(row, number))["base_moved"]
    _advance(served, row)
    found = served.post(url(row, number, "approve"), None, 409)
    assert (found["code"], found["type"]) == ("base-moved", "urn:stackvm:problem:base-moved")
    shown = served.get(url(row, number))
    assert (shown["status"], shown["base_moved"], shown["branch"]) == ("open", True, None)
    assert branches(served, row) == ["main", "main2"] and work(served) == []
    assert [each["base_moved"] for each in served.get(url(row))["items"]] == [True]
    served.post(url(row, number, "discard"))


def _advance(served: LookServer, row: TaskRow) -> None:
    """The branch goes on by a commit."""
    with open_repository(served.place, row) as repository:
        head, other = repository.head("main"), repository.head("main2")
        repository.store.write([], [RefMove("refs/heads/main", head, other)])


def test_of_many_approvals_one_wins(served: LookServer, task: TaskRow) -> None:
    for round_ in range(3):
        number = served.post(url(task), {**CHANGE, "branch": "main"}, 201)["number"]
        assert sorted(_approved_at_once(served, url(task, number, "approve"))) == [202, 409, 409, 409]
        assert len(branches(served, task)) == round_ + 2
        assert len(work(served)) == 1


def _approved_at_once(served: LookServer, path: str) -> list[int]:
    barrier, statuses = threading.Barrier(4), list[int]()

    def approve() -> None:
        client = served.app.test_client()
        barrier.wait()
        statuses.append(client.post(path).status_code)

    threads = [threading.Thread(target=approve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


class Died(BaseException):
    """The process is killed."""


@pytest.mark.parametrize("point", ["proposal.approving", "revision.committed", "proposal.committed"])
def test_an_approval_that_was_killed_is_gone_on_with(
    served: LookServer, task: TaskRow, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = served.post(url(task), {**CHANGE, "irreversible": "skip"}, 201)["number"]

    def die() -> None:
        raise Died

    monkeypatch.setitem(crash_points.armed, point, die)
    place, row = served.place, served.place.tasks.get(task.id)
    queue = served.app.extensions["stackvm"].queue
    with pytest.raises(Died):
        approvals.approve_proposal(place, queue, row, number)
    monkeypatch.delitem(crash_points.armed, point)
    served.post(url(task, number, "approve"), None, 409)  # it may be alive
    served.post(url(task, number, "discard"), None, 409)
    monkeypatch.setattr(approvals, "STALE_MS", -1)
    done = served.post(url(task, number, "approve"), None, 202)
    assert (done["branch"], done["queued"]) == ("revision-1", True)
    assert work(served) == ["revision-1 completed"]
    assert branches(served, task) == ["main", "revision-1"]
    served.post(url(task, number, "approve"), None, 409)


def test_an_approval_that_was_killed_after_it_queued_runs_once(
    served: LookServer, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = served.post(url(task), {**CHANGE, "irreversible": "skip"}, 201)["number"]
    replace = served.place.proposals.replace

    def die(old: Any, new: Any) -> bool:
        if new.status == "approved":
            raise Died
        return replace(old, new)

    monkeypatch.setattr(type(served.place.proposals), "replace", lambda self, old, new: die(old, new))
    with pytest.raises(Died):
        approvals.approve_proposal(
            served.place, served.app.extensions["stackvm"].queue, served.place.tasks.get(task.id), number
        )
    monkeypatch.undo()
    assert work(served) == ["revision-1 completed"]
    monkeypatch.setattr(approvals, "STALE_MS", -1)
    done = served.post(url(task, number, "approve"), None, 202)
    assert (done["branch"], done["queued"]) == ("revision-1", False)
    assert work(served) == [] and served.place.tasks.get(task.id).status == "completed"


def test_a_full_backlog_is_told_and_the_approval_can_be_repeated(
    served: LookServer, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = served.post(url(task), {**CHANGE, "irreversible": "skip"}, 201)["number"]
    queue = served.app.extensions["stackvm"].queue

    def full(job: object) -> None:
        raise Busy(10)

    monkeypatch.setattr(queue, "keep", full)
    found = served.client.post(url(task, number, "approve"))
    assert (found.status_code, found.json["code"], found.headers["Retry-After"]) == (429, "busy", "5")
    monkeypatch.undo()
    assert served.post(url(task, number, "approve"), None, 202)["branch"] == "revision-1"
    assert work(served) == ["revision-1 completed"]


def test_a_name_that_is_taken_meanwhile_leaves_the_proposal_open(served: LookServer, task: TaskRow) -> None:
    number = served.post(url(task), {**CHANGE, "name": "mine"}, 201)["number"]
    set_variables(served.place, task, {"name": "c"}, "main~1", "mine")
    assert served.post(url(task, number, "approve"), None, 409)["code"] == "conflict"
    assert served.get(url(task, number))["status"] == "open"
    assert "name" in served.post(url(task), {**CHANGE, "name": "mine"}, 409)["detail"]


def test_a_plan_that_is_done_already_is_not_queued(served: LookServer) -> None:
    row = served.run(assign(0, a=1), assign(1, final_answer="${a}"), assign(2, never=1))
    plan = {"version": 1, "steps": [assign(0, a=1), assign(1, final_answer="${a}")]}
    number = served.post(url(row), {"plan": plan}, 201)["number"]
    done = served.post(url(row, number, "approve"), None, 202)
    assert (done["queued"], work(served)) == (False, [])
    assert served.place.tasks.get(row.id).status == "completed"


def test_proposals_are_listed_in_pages(served: LookServer, task: TaskRow) -> None:
    numbers = [served.post(url(task), CHANGE, 201)["number"] for _ in range(5)]
    served.post(url(task, numbers[1], "discard"))
    ProposalsOut.model_validate(served.get(url(task)))
    first = served.get(url(task), limit=2)
    rest = served.get(url(task), limit=3, cursor=first["next"])
    assert [each["number"] for each in [*first["items"], *rest["items"]]] == numbers[::-1]
    assert rest["next"] is None and "plan" not in first["items"][0]
    assert [each["number"] for each in served.get(url(task), status="discarded")["items"]] == [numbers[1]]
    served.get(url(task), 422, status="nice")
    served.get(url(task), 422, cursor="WyJhIl0")


def test_a_proposal_is_not_sent_twice_until_it_changes(served: LookServer, task: TaskRow) -> None:
    number = served.post(url(task), CHANGE, 201)["number"]
    tag = {"If-None-Match": served.client.get(url(task, number)).headers["ETag"]}
    assert served.client.get(url(task, number), headers=tag).status_code == 304
    served.post(url(task, number, "discard"))
    assert served.client.get(url(task, number), headers=tag).status_code == 200


def test_steps_are_commented_on(served: LookServer, task: TaskRow) -> None:
    number = served.post(url(task), CHANGE, 201)["number"]
    made = served.post(url(task, number, "comments"), {"body": "why?", "seq_no": 1}, 201)
    CommentOut.model_validate(made)
    assert (made["author"], made["seq_no"]) == ("local", 1)
    for each in range(3):
        served.post(url(task, number, "comments"), {"body": f"{each}"}, 201)
    CommentsOut.model_validate(served.get(url(task, number, "comments")))
    first = served.get(url(task, number, "comments"), limit=3)
    rest = served.get(url(task, number, "comments"), limit=3, cursor=first["next"])
    assert [each["body"] for each in [*first["items"], *rest["items"]]] == ["why?", "0", "1", "2"]
    for body, status in (
        ({"body": " "}, 422),
        ({"body": "x" * 10_001}, 422),
        ({"body": "x", "seq_no": 77}, 404),
        ({"body": "x", "seq_no": 1 << 70}, 422),
        ({"seq_no": 1}, 422),
        ({"body": "x", "by": "me"}, 422),
    ):
        served.post(url(task, number, "comments"), body, status)
    served.get(url(task, number + 1, "comments"), 404)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid-input"),
        ({"plan": {"steps": []}}, 422, "plan-rejected"),
        ({"plan": "prose"}, 422, "plan-rejected"),
        ({"plan": {"steps": [call(1, "nothing")]}}, 422, "plan-rejected"),
        ({**CHANGE, "suggestion": "x"}, 422, "invalid-input"),
        ({"set": CHANGE["set"]}, 422, "invalid-input"),
        ({"step": 1, "set": []}, 422, "invalid-input"),
        ({"step": 99, "set": CHANGE["set"]}, 404, "not-found"),
        ({"step": 1, "set": [{"path": "parameters.nope.x", "value": 1}]}, 422, "invalid-input"),
        ({"step": 1, "set": [{"path": "[[", "value": 1}]}, 422, "invalid-input"),
        ({**CHANGE, "branch": "nope"}, 404, "not-found"),
        ({**CHANGE, "name": "a..b"}, 422, "invalid-name"),
        ({**CHANGE, "name": "../x"}, 422, "invalid-name"),
        ({**CHANGE, "irreversible": "maybe"}, 422, "invalid-input"),
        ({**CHANGE, "more": 1}, 422, "invalid-input"),
        ({"suggestion": "  "}, 422, "invalid-input"),
        ({"suggestion": "better"}, 409, "conflict"),
    ],
)
def test_what_is_no_proposal_is_refused(
    served: LookServer, task: TaskRow, body: dict[str, Any], status: int, code: str
) -> None:
    assert served.post(url(task), body, status)["code"] == code
    assert served.get(url(task))["items"] == []


def test_numbers_that_no_proposal_has_lead_nowhere(served: LookServer, task: TaskRow) -> None:
    other = served.run(assign(0, final_answer=1))
    number = served.post(url(task), CHANGE, 201)["number"]
    for path in (url(other, number), url(task, number + 1), url(task, 0), url(task, 10**30), url(task, "x")):
        served.get(path, 404)
        for action in ("approve", "discard"):
            served.post(f"{path}/{action}", None, 404)


def test_a_branch_that_runs_takes_no_proposal(served: LookServer, task: TaskRow) -> None:
    served.place.leases.acquire(task.id, "main", "somebody", 60)
    assert served.post(url(task), CHANGE, 409)["code"] == "conflict"
    assert served.post(url(task), {"suggestion": "x"}, 409)["code"] == "conflict"


def test_a_model_that_was_lost_is_told(
    served: LookServer, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "require_askers", lambda workplace: None)
    wish = proposals.Wish(suggestion="better")
    row = proposals.create_proposal(served.place, task, wish, proposals.RevisionOptions())
    assert served.get(url(task, row.number))["status"] == "writing"
    served.post(url(task, row.number, "approve"), None, 409)
    served.post(url(task, row.number, "comments"), {"body": "x", "seq_no": 1}, 409)
    monkeypatch.setattr(proposals, "WRITING_MS", 0)
    lost = served.get(url(task, row.number))
    assert lost["status"] == "failed" and "nobody heard" in lost["error"]["message"]


def test_proposals_go_with_their_task(served: LookServer, task: TaskRow) -> None:
    served.post(url(task), CHANGE, 201)
    assert served.client.delete(f"/api/tasks/{task.id}").status_code == 204
    assert served.place.proposals.list(task.id, 10) == []


def test_the_run_that_was_approved_can_be_revised_again(served: LookServer, task: TaskRow) -> None:
    number = served.post(url(task), {**CHANGE, "irreversible": "skip"}, 201)["number"]
    served.post(url(task, number, "approve"), None, 202)
    work(served)
    made = served.post(url(task), {**CHANGE, "step": 2}, 201)
    assert made["revises"] == "revision-1"
    row = served.place.tasks.get(task.id)
    assert run_branch(served.place, row, "main", RunOptions(Interrupts())).status == "completed"


def test_of_two_who_saw_it_open_one_approves(
    served: LookServer, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = served.post(url(task), CHANGE, 201)["number"]
    choose, quicker = approvals.new_branch_name, []

    def choose_late(*given: Any) -> str:
        if not quicker:
            quicker.append(number)
            served.post(url(task, number, "approve"), None, 202)
        return choose(*given)

    monkeypatch.setattr(approvals, "new_branch_name", choose_late)
    assert served.post(url(task, number, "approve"), None, 409)["code"] == "conflict"
    assert branches(served, task) == ["main", "revision-1"]
    assert served.get(url(task, number))["status"] == "approved"


def test_a_base_that_moves_amid_the_approval_is_noticed(
    served: LookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = served.run(assign(0, a=1), call(1, "look", "final_answer", {"value": 3}))
    number = served.post(url(row), {"step": 0, "set": [{"path": "parameters.a", "value": 2}]}, 201)["number"]
    set_variables(served.place, row, {"a": 5}, "main~1", "main2")
    monkeypatch.setitem(crash_points.armed, "proposal.approving", lambda: _advance(served, row))
    assert served.post(url(row, number, "approve"), None, 409)["code"] == "base-moved"
    shown = served.get(url(row, number))
    assert (shown["status"], shown["base_moved"], shown["branch"]) == ("open", True, None)
    assert branches(served, row) == ["main", "main2"]


def test_of_a_for_each_only_the_items_that_are_made_again_cost_again(served: LookServer) -> None:
    steps = [
        assign(1, values=list(range(100))),
        call(2, "look", "seen", {"value": "${item}"}, for_each="${values}"),
        assign(3, final_answer="${seen}"),
    ]
    task = served.run(*steps)
    changed = {"step": 1, "set": [{"path": "parameters.values", "value": [*range(98), "x", "y"]}]}
    made = served.post(url(task), changed, 201)
    call_of_step = made["steps"][1]["calls"][0]
    assert (call_of_step["items"], call_of_step["reused_items"]) == (100, 98)
    took = call_of_step["earlier"]["duration_ms"]
    assert made["costs"]["saved"]["duration_ms"] == round(took * 0.98)
    assert made["costs"]["expected"]["duration_ms"] == round(took * 0.02)
