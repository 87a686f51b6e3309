"""``/api/tasks/{id}/graph`` and ``…/timeline``; what waits on any branch, and in any task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call, jump

from app.services.branches import fork_branch
from app.services.runs import RunOptions, run_branch
from app.tools import tool
from app.vm.interrupts import Interrupts


@tool(effect="irreversible")
def mail(to: str) -> str:
    """Nobody knows whether it went out."""
    raise ConnectionError(f"no answer about {to}")


@tool(effect="read")
def odd(number: int) -> int:
    """Fails for even numbers."""
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    return number


LOOP = [
    assign(1, n=0, numbers=[1, 2, 3]),
    call(2, "look", "seen", {"value": "${n}"}),
    assign(3, n="${n} + 1"),
    jump(4, condition="n < 2", jump_if_true=2),
    call(5, "odd", "odds", {"number": "${item}"}, for_each="${numbers}", on_error="continue"),
    assign(6, final_answer="${seen} ${odds}"),
]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path, [mail, odd]) as server:
        yield server


def test_a_graph_has_control_data_loops_and_states(served: LookServer) -> None:
    task = served.run(*LOOP)
    graph = served.get(f"/api/tasks/{task.id}/graph")
    assert graph["branch"] == "main" and graph["loops"] == [[2, 3, 4]]
    ways = {(each["from"], each["to"], each["kind"]) for each in graph["edges"]}
    assert ways == {
        (1, 2, "next"),
        (2, 3, "next"),
        (3, 4, "next"),
        (4, 2, "true"),
        (4, 5, "false"),
        (5, 6, "next"),
    }
    values = {(each["from"], each["to"]): each["names"] for each in graph["data"]}
    assert values[1, 5] == ["numbers"] and values[2, 6] == ["seen"] and values[3, 2] == ["n"]
    steps = {each["seq_no"]: each for each in graph["steps"]}
    assert (steps[2]["visits"], steps[2]["effect"], steps[5]["for_each"]) == (2, "read", True)
    assert {each["state"] for each in steps.values()} == {"done"}
    earlier = served.get(f"/api/tasks/{task.id}/graph", rev="main~5")
    assert [each["state"] for each in earlier["steps"]] == [
        "done",
        "next",
        "done",
        "done",
        "pending",
        "pending",
    ]
    assert served.get(f"/api/tasks/{task.id}/graph", 404, rev="main~10")["code"] == "not-found"


def test_both_answers_may_lead_to_the_same_step(served: LookServer) -> None:
    task = served.run(jump(1, condition="true", jump_if_true=2, jump_if_false=2), assign(2, final_answer=1))
    ways = served.get(f"/api/tasks/{task.id}/graph")["edges"]
    assert [each["kind"] for each in ways] == ["true", "false"]


def test_a_timeline_has_the_times_and_no_values(served: LookServer) -> None:
    large = list(range(1, 400))
    task = served.run(
        assign(1, numbers=large),
        call(2, "look", "seen", {"value": "x" * 5_000}),
        call(3, "odd", "odds", {"number": "${item}"}, for_each="${numbers}", on_error="continue"),
        call(4, "look", "again", {"value": "x" * 5_000}),
        assign(5, final_answer="done"),
    )
    served.post(f"/api/tasks/{task.id}/branches", {"revision": "main", "name": "other"}, 201)
    page = served.get(f"/api/tasks/{task.id}/timeline")
    found = {each["seq_no"]: each for each in page["items"]}
    assert page["next"] is None and "value" not in found[2] and "inputs" not in found[2]
    assert found[2]["started_ms"] <= found[2]["ended_ms"] and found[2]["attempts"] == 1
    assert len(found[3]["calls"]) == 399 and found[3]["failed"] == list(range(1, 399, 2))
    assert found[3]["calls"][0][0] == 1 and found[3]["count"] == 399
    assert "started_ms" not in found[5]
    assert len(str(found[2])) < 500


def test_a_timeline_comes_in_pages(served: LookServer) -> None:
    task = served.run(*LOOP)
    whole = served.get(f"/api/tasks/{task.id}/timeline")["items"]
    pages: list[Any] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = served.get(f"/api/tasks/{task.id}/timeline", **query)
        pages += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert pages == whole and len(whole) == 11
    assert served.get(f"/api/tasks/{task.id}/timeline", 422, cursor="WyJtYWluIl0")["code"] == "invalid-input"


def test_every_item_that_waits_is_told_on_any_branch(served: LookServer) -> None:
    task = served.run(
        assign(1, people=["ann", "bob", "cy"]),
        call(2, "mail", "sent", {"to": "${item}"}, for_each="${people}"),
        assign(3, final_answer="${sent}"),
    )
    (found,) = served.get("/api/waiting")["items"]
    assert (found["branch"], found["count"]) == ("main", len(found["items"]))
    assert found["items"][0] == {
        "item": 0,
        "inputs": {"to": "ann"},
        "attempt": 1,
        "reason": found["waiting"]["reason"],
    }
    fork_branch(served.place, task, "main~1", "elsewhere")
    served.post(f"/api/tasks/{task.id}/decide", {"choice": "skip", "value": 1, "items": [], "resume": False})
    run_branch(served.place, served.place.tasks.get(task.id), "elsewhere", RunOptions(Interrupts()))
    assert served.place.tasks.get(task.id).current_branch == "elsewhere"
    run_branch(served.place, served.place.tasks.get(task.id), "main", RunOptions(Interrupts()))
    waiting = {each["branch"] for each in served.get("/api/waiting")["items"]}
    assert "elsewhere" in waiting


def test_open_proposals_are_listed_across_tasks(served: LookServer) -> None:
    first, second = served.run(*LOOP), served.run(*LOOP)
    for task in (first, second):
        body = {"step": 1, "set": [{"path": "parameters.n", "value": 1}]}
        served.post(f"/api/tasks/{task.id}/proposals", body, 201)
    items = served.get("/api/proposals")["items"]
    assert [each["task_id"] for each in items] == [second.id, first.id]
    assert items[0]["goal"] == "a goal" and items[0]["base_moved"] is False
    page = served.get("/api/proposals", limit=1)
    assert served.get("/api/proposals", cursor=page["next"], limit=1)["items"] == items[1:]
    served.client.delete(f"/api/tasks/{first.id}/proposals/{items[1]['number']}")
    assert len(served.get("/api/proposals")["items"]) in (1, 2)


def test_namespaces_tell_which_tools_they_come_to(served: LookServer) -> None:
    made = served.post("/api/namespaces", {"name": "few", "allowed_tools": ["lo*", "nothing_*"]}, 201)
    assert made["tools"] == ["look"] and made["unmatched"] == ["nothing_*"]
