"""What lists of many commits need: digests in the log, the tree of branches, who read a variable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call

from app.api.models import LogOut, ReadersOut
from app.api.task_models import TreeOut
from app.db.base import TaskRow
from app.services.branches import fork_branch
from app.services.edits import set_variables
from app.tools import tool


@tool(effect="read")
def burst() -> str:
    """Fail."""
    raise RuntimeError("it broke")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("trees"), [burst]) as server:
        yield server


@pytest.fixture(scope="module")
def task(served: LookServer) -> TaskRow:
    row = served.run(
        assign(0, total=1, text="x" * 5_000),
        call(1, "look", "seen", {"value": "${text}"}),
        assign(2, total="${total}"),
        assign(3, final_answer="${total}"),
    )
    set_variables(served.place, row, {"total": 7}, "main~2", "edited")
    fork_branch(served.place, row, "edited", "twin")
    return served.place.tasks.get(row.id)


def log(served: LookServer, task: TaskRow, **query: Any) -> list[dict[str, Any]]:
    found = served.get(f"/api/tasks/{task.id}/commits", branch="main", **query)
    LogOut.model_validate(found)
    items: list[dict[str, Any]] = found["items"]
    return items


def test_digests_say_what_each_commit_did(served: LookServer, task: TaskRow) -> None:
    answer, again, asked, first, plan, goal = log(served, task, digests="true")
    assert [each["digest"]["sets"] for each in (answer, again, asked, first, plan, goal)] == [
        ["final_answer"],
        ["total"],
        ["seen"],
        ["text", "total"],
        [],
        [],
    ]
    assert answer["digest"]["result"] == "final_answer = 1"
    assert first["digest"]["result"].startswith('text = "xxx')
    assert len(first["digest"]["result"]) <= 160
    assert asked["digest"]["outcome"] == "ran"  # its inputs lie beside the record
    assert asked["digest"]["duration_ms"] >= 0
    assert answer["digest"]["outcome"] == plan["digest"]["outcome"] == "none"
    assert (first["digest"]["visit"], goal["digest"]["visit"]) == (1, None)
    assert "digest" not in log(served, task)[0]


def test_pages_with_digests_are_those_without(served: LookServer, task: TaskRow) -> None:
    page = served.get(f"/api/tasks/{task.id}/commits", branch="main", limit=4, digests="true")
    rest = served.get(f"/api/tasks/{task.id}/commits", branch="main", cursor=page["next"], digests="true")
    assert [each["commit"] for each in (*page["items"], *rest["items"])] == [
        each["commit"] for each in log(served, task)
    ]


def test_a_failed_step_says_why(served: LookServer) -> None:
    row = served.run(call(1, "burst", "seen", {}), assign(2, final_answer="${seen}"))
    newest = served.get(f"/api/tasks/{row.id}/commits", digests="true")["items"][0]
    assert newest["digest"]["outcome"] == "failed"
    assert newest["digest"]["result"] == "RuntimeError: it broke"
    assert newest["digest"]["sets"] == []


def test_the_tree_tells_where_branches_left_each_other(served: LookServer, task: TaskRow) -> None:
    found = served.get(f"/api/tasks/{task.id}/tree")
    TreeOut.model_validate(found)
    main, edited, twin = found["items"]
    assert (main["branch"], main["commits"], main["own"], main["fork"]) == ("main", 6, 6, None)
    assert (edited["branch"], edited["commits"], edited["own"]) == ("edited", 5, 1)
    assert edited["fork"]["branch"] == "main"
    assert edited["fork"]["commit"] == log(served, task)[2]["commit"]
    assert [mark["kind"] for mark in edited["marks"]] == ["edit"]
    assert (twin["fork"]["branch"], twin["own"], twin["commits"]) == ("edited", 0, 5)


def test_who_read_a_variable(served: LookServer, task: TaskRow) -> None:
    found = served.get(f"/api/tasks/{task.id}/readers/total", rev="main")
    ReadersOut.model_validate(found)
    assert [each["seq_no"] for each in found["items"]] == [3, 2]
    assert served.get(f"/api/tasks/{task.id}/readers/text", rev="main")["items"][0]["tool"] == "look"
    assert served.get(f"/api/tasks/{task.id}/readers/final_answer", rev="main")["items"] == []
    first = served.get(f"/api/tasks/{task.id}/readers/total", rev="main", limit=1)
    second = served.get(f"/api/tasks/{task.id}/readers/total", rev="main", cursor=first["next"])
    assert [each["seq_no"] for each in second["items"]] == [2]
    served.get(f"/api/tasks/{task.id}/readers/total", 404, rev="nowhere")
