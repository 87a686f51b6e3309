"""A task is steered over HTTP: paused, resumed, cancelled, decided about; its branches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server

from app.db.base import TaskRow
from app.services.queueing import run_claimed
from app.tools import tool
from app.vm.interrupts import Interrupts


@tool(effect="irreversible")
def mail(to: str) -> str:
    """Loses the line."""
    raise OSError("line went dead")


STEPS: tuple[dict[str, Any], ...] = (
    {"seq_no": 1, "type": "assign", "parameters": {"a": 1}},
    {
        "seq_no": 2,
        "type": "calling",
        "parameters": {"tool_name": "look", "tool_params": {"value": "${a}"}, "output_vars": "final_answer"},
    },
)
MAILS: tuple[dict[str, Any], ...] = (
    {
        "seq_no": 1,
        "type": "calling",
        "parameters": {"tool_name": "mail", "tool_params": {"to": "ann"}, "output_vars": "final_answer"},
    },
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path, [mail]) as server:
        yield server


def work(server: LookServer) -> str | None:
    """What a worker does next; the status in which it leaves the run."""
    claim = server.jobs.claim("a worker", 30)
    if claim is None:
        return None
    report = run_claimed(server.place, claim.job, Interrupts(), None)
    server.jobs.remove(claim.number, "a worker")
    assert report is not None
    return report.status


def waiting(server: LookServer) -> TaskRow:
    task = server.run(*MAILS)
    assert task.status == "waiting"
    return task


def test_what_waits_in_the_queue_is_paused_and_goes_on(server: LookServer) -> None:
    task = server.post("/api/tasks", {"goal": "g", "plan": list(STEPS)}, 202)["task_id"]
    paused = server.post(f"/api/tasks/{task}/pause", {}, 202)
    assert (paused["status"], paused["asked"]) == ("paused", None)
    assert work(server) is None
    assert server.post(f"/api/tasks/{task}/resume", {}, 202)["status"] == "queued"
    server.post(f"/api/tasks/{task}/resume", {}, 409)
    assert work(server) == "completed"
    for verb in ("pause", "cancel", "resume"):
        server.post(f"/api/tasks/{task}/{verb}", {}, 409)


def test_what_is_cancelled_stays_so(server: LookServer) -> None:
    task = server.post("/api/tasks", {"goal": "g", "plan": list(STEPS)}, 202)["task_id"]
    assert server.post(f"/api/tasks/{task}/cancel", {}, 202)["status"] == "cancelled"
    assert work(server) in (None, "cancelled")
    assert server.get(f"/api/tasks/{task}")["status"] == "cancelled"
    assert server.post(f"/api/tasks/{task}/resume", {}, 409)["code"] == "conflict"


def test_what_waits_is_listed_and_decided_about(server: LookServer) -> None:
    task = waiting(server)
    (found,) = server.get("/api/waiting")["items"]
    assert (found["task"]["task_id"], found["waiting"]["tool"]) == (task.id, "mail")
    assert [each["choice"] for each in found["waiting"]["choices"]] == ["run", "skip", "fail"]
    server.post(f"/api/tasks/{task.id}/resume", {}, 409)
    path = f"/api/tasks/{task.id}/decide"
    server.post(path, {"choice": "skip", "value": "sent", "key": "0" * 64}, 409)
    server.post(path, {"choice": "perhaps"}, 422)
    decided = server.post(
        path, {"choice": "skip", "value": "sent", "key": found["waiting"]["idempotency_key"]}
    )
    assert (decided["choice"], decided["tool"]) == ("skip", "mail")
    assert server.post(path, {"choice": "run"}, 409)["title"].endswith("skip step 1")
    assert work(server) == "completed"
    assert server.get("/api/waiting")["items"] == []


def test_variables_are_set_on_a_branch_that_goes_on(server: LookServer) -> None:
    task = server.run(*STEPS)
    made = server.post(f"/api/tasks/{task.id}/set", {"variables": {"a": 7}, "at": "main~1"}, 201)
    assert work(server) == "completed"
    branches = {each["branch"]: each for each in server.get(f"/api/tasks/{task.id}/branches")["items"]}
    assert set(branches) == {"main", made["branch"]}
    assert branches[made["branch"]]["status"] == "completed"
    server.post(f"/api/tasks/{task.id}/set", {"variables": {}}, 422)
    server.post(f"/api/tasks/{task.id}/set", {"variables": {"no name": 1}}, 422)


def test_branches_are_made_and_removed(server: LookServer) -> None:
    task = server.run(*STEPS)
    path = f"/api/tasks/{task.id}/branches"
    made = server.post(path, {"revision": "main~1", "name": "try/one"}, 201)
    assert (made["branch"], made["status"]) == ("try/one", "paused")
    server.post(path, {"revision": "main~1", "name": "try/one"}, 409)
    for name in ("../x", "a..b", "a\x00b", "x" * 300, "-", "HEAD.lock"):
        assert server.client.post(path, json={"revision": "main", "name": name}).status_code in (409, 422)
    server.post(path, {"revision": "nowhere", "name": "b"}, 404)
    assert server.client.delete(f"{path}/try/one").status_code == 204
    assert server.client.delete(f"{path}/try/one").status_code == 404
    assert server.client.delete(f"{path}/main").status_code == 409
