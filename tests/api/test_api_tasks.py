"""Tasks over HTTP: submitted, listed, found again, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server

from app.db.serving import Job

PLAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path) as server:
        yield server


def submit(server: LookServer, **more: Any) -> dict[str, Any]:
    document: dict[str, Any] = server.post("/api/tasks", {"goal": "a goal", "plan": PLAN, **more}, 202)
    return document


def test_a_goal_is_accepted_and_waits_for_a_worker(server: LookServer) -> None:
    response = server.client.post(
        "/api/tasks", json={"goal": "a goal", "plan": PLAN, "tags": ["b", "a", "b"]}
    )
    assert response.status_code == 202
    document = response.json
    assert document is not None
    assert response.headers["Location"] == f"/api/tasks/{document['task_id']}"
    assert (document["status"], document["tags"]) == ("queued", ["a", "b"])
    assert server.get(response.headers["Location"]) == document
    claim = server.jobs.claim("a worker", 30)
    assert claim is not None
    assert claim.job == Job(document["task_id"], "main")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"goal": ""}, "invalid-input"),
        ({"goal": "  ", "plan": PLAN}, "invalid-input"),
        ({"goal": 1}, "invalid-input"),
        ({"goal": "g", "surprise": 1}, "invalid-input"),
        ({"goal": "g", "plan": [{"seq_no": 1}]}, "plan-rejected"),
        ({"goal": "g", "plan": PLAN, "namespace": "nowhere"}, "not-found"),
        ({"goal": "g", "plan": PLAN, "tags": ["a,b"]}, "invalid-name"),
        ({"goal": "g", "plan": PLAN, "tags": ["x" * 200]}, "invalid-name"),
        ({"goal": "g", "plan": PLAN, "max_steps": 0}, "invalid-input"),
    ],
)
def test_what_can_not_be_is_refused_and_leaves_nothing(
    server: LookServer, body: dict[str, Any], code: str
) -> None:
    response = server.client.post("/api/tasks", json=body)
    assert response.status_code in (404, 422)
    assert response.mimetype == "application/problem+json"
    assert response.json is not None
    assert response.json["code"] == code
    assert server.get("/api/tasks")["items"] == []
    assert server.jobs.backlog().waiting == 0


@pytest.mark.parametrize("data", [b"{", b"[1]", b"\xff", b"nul"])
def test_what_is_no_json_object_is_a_problem(server: LookServer, data: bytes) -> None:
    response = server.client.post("/api/tasks", data=data, content_type="application/json")
    assert response.status_code in (400, 422)
    assert response.mimetype == "application/problem+json"


def test_a_full_backlog_refuses_and_keeps_nothing(tmp_path: Path) -> None:
    with look_server(tmp_path) as server:
        server.queue.most = 1
        submit(server)
        response = server.client.post("/api/tasks", json={"goal": "g", "plan": PLAN})
        assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
        assert len(server.get("/api/tasks")["items"]) == 1


def test_lists_are_filtered_and_come_in_pages(server: LookServer) -> None:
    made = [submit(server, goal=f"Goal {n} 50%", tags=["even" if n % 2 == 0 else "odd"]) for n in range(7)]
    ids = [task["task_id"] for task in reversed(made)]
    first = server.get("/api/tasks", limit=3)
    second = server.get("/api/tasks", limit=3, cursor=first["next"])
    third = server.get("/api/tasks", limit=3, cursor=second["next"])
    pages = (first, second, third)
    assert [task["task_id"] for each in pages for task in each["items"]] == ids
    assert third["next"] is None
    assert len(server.get("/api/tasks", tag="odd")["items"]) == 3
    assert len(server.get("/api/tasks", text="GOAL 3 50%")["items"]) == 1
    assert server.get("/api/tasks", text="3_50")["items"] == []
    assert len(server.get("/api/tasks", status="queued,running")["items"]) == 7
    assert server.get("/api/tasks", status="failed")["items"] == []
    since = made[4]["created_ms"]
    assert len(server.get("/api/tasks", since=since)["items"]) == 3
    assert len(server.get("/api/tasks", until=since)["items"]) == 4


def test_a_filter_that_means_nothing_is_said(server: LookServer) -> None:
    for query in ({"status": "lost"}, {"limit": 0}, {"cursor": "zzz"}, {"nothing": 1}):
        response = server.client.get("/api/tasks", query_string=query)
        assert response.status_code == 422, query


def test_a_task_that_did_not_change_is_not_sent_again(server: LookServer) -> None:
    path = f"/api/tasks/{submit(server)['task_id']}"
    tag = server.client.get(path).headers["ETag"]
    assert server.client.get(path, headers={"If-None-Match": tag}).status_code == 304
    server.client.post(f"{path}/cancel", json={})
    assert server.client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_task_that_was_removed_leaves_nothing(server: LookServer) -> None:
    task = submit(server, tags=["a"])
    assert server.client.delete(f"/api/tasks/{task['task_id']}").status_code == 204
    server.get(f"/api/tasks/{task['task_id']}", 404)
    assert server.jobs.backlog().waiting == 0
    assert server.get("/api/tasks", tag="a")["items"] == []


def test_a_request_that_is_sent_again_does_nothing_twice(server: LookServer) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"goal": "g", "plan": PLAN}
    first = server.client.post("/api/tasks", json=body, headers=headers)
    again = server.client.post("/api/tasks", json=body, headers=headers)
    assert (again.status_code, again.json) == (first.status_code, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert len(server.get("/api/tasks")["items"]) == 1
    other = server.client.post("/api/tasks", json={**body, "goal": "h"}, headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency-key-reused")  # type: ignore[index]
    refused = server.client.post("/api/tasks", json={"goal": ""}, headers={"Idempotency-Key": "bad"})
    assert refused.status_code == 422
    assert (
        server.client.post("/api/tasks", json={"goal": ""}, headers={"Idempotency-Key": "bad"}).status_code
        == 422
    )
    for odd in ("x" * 300, "\t"):
        response = server.client.post("/api/tasks", json=body, headers={"Idempotency-Key": odd})
        assert response.status_code == 422
    assert len(server.get("/api/tasks")["items"]) == 1


def test_every_change_is_noted_once(server: LookServer) -> None:
    task = submit(server)
    server.client.post("/api/tasks", json={"goal": ""})
    server.client.post(f"/api/tasks/{task['task_id'][:8]}/cancel", json={})
    noted = server.get("/api/audit")["items"]
    assert [(each["action"], each["task_id"], each["actor"]) for each in noted] == [
        ("steering.cancel", task["task_id"], "local"),
        ("tasks.submit", task["task_id"], "local"),
    ]
    first = server.get("/api/audit", limit=1)
    assert server.get("/api/audit", limit=1, cursor=first["next"])["items"] == noted[1:]


def test_a_goal_that_nobody_can_plan_is_refused(server: LookServer) -> None:
    for body in ({"goal": "g"}, {"goal": "g", "plan": PLAN, "revise": True}):
        refused = server.post("/api/tasks", body, 422)
        assert refused["code"] == "not-configured"
        assert "LLM_PROVIDER" in refused["detail"]
    assert server.get("/api/tasks")["items"] == []
