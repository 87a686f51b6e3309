"""A task as `show` has it, and a run as `execute` reports it, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from look_server import LookServer, look_server

from app.db.serving import Job
from app.services.inspect import show_task

ANSWER = {"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path) as server:
        yield server


def test_the_view_is_that_of_show(server: LookServer) -> None:
    task = server.run(ANSWER)
    assert server.get(f"/api/tasks/{task.id}/view") == show_task(server.place, task, None).to_json()
    assert server.get(f"/api/tasks/{task.id}/view", at="main~1")["variables"] == {}
    server.get(f"/api/tasks/{task.id}/view", 404, at="nowhere")
    server.get("/api/tasks/none/view", 404)


def test_the_report_says_how_the_run_stands(server: LookServer) -> None:
    task = server.run(ANSWER)
    report = server.get(f"/api/tasks/{task.id}/report")
    assert (report["status"], report["final_answer"], report["branch"]) == ("completed", 42, "main")
    server.get(f"/api/tasks/{task.id}/report", 404, branch="nowhere")
    queued = server.post("/api/tasks", {"goal": "g", "plan": [ANSWER]}, 202)["task_id"]
    assert server.get(f"/api/tasks/{queued}/report")["status"] == "queued"


def test_a_run_that_another_worker_will_go_on_with_is_queued(server: LookServer) -> None:
    task = server.post("/api/tasks", {"goal": "g", "plan": [ANSWER]}, 202)["task_id"]
    server.place.tasks.note_run(task, "main", "paused", 1)
    assert server.get(f"/api/tasks/{task}/report")["status"] == "queued"
    server.jobs.withdraw(task)
    assert server.get(f"/api/tasks/{task}/report")["status"] == "paused"
    server.jobs.put(Job(task, "other"))
    assert server.get(f"/api/tasks/{task}/report")["status"] == "paused"


def test_a_plan_may_be_sent_as_its_text(server: LookServer) -> None:
    text = '[{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]'
    server.post("/api/tasks", {"goal": "g", "plan": text}, 202)
    refused = server.post("/api/tasks", {"goal": "g", "plan": "[{,}]"}, 422)
    assert refused["code"] == "plan-rejected"
