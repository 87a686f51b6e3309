"""Who may look back and propose: roles and namespaces hold on every address, and where a query names a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call

from app.db.base import NamespaceRow, TaskRow
from app.services.keys import create_key

CHANGE = {"step": 0, "set": [{"path": "parameters.a", "value": 2}]}
LOOKING = (
    "commits",
    "commits/main",
    "commits/main/record",
    "commits/main/plan",
    "commits/main/state",
    "commits/main/variables/a",
    "diff?from=main",
    "blame",
    "values/a",
    "bisect?expression=a%20%3C%205",
    "explain",
    "proposals",
    "proposals/1",
    "proposals/1/comments",
)
CHANGING = (
    ("proposals", CHANGE),
    ("proposals", {"suggestion": "x"}),
    ("proposals/1/comments", {"body": "x"}),
    ("proposals/1/approve", None),
    ("proposals/1/discard", None),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("access")) as server:
        for name in ("mine", "yours"):
            server.place.namespaces.create(NamespaceRow(name, ("look",)))
        yield server


@pytest.fixture(scope="module")
def task(served: LookServer) -> TaskRow:
    row = served.run(assign(0, a=1), call(1, "look", "final_answer", {"value": "${a}"}), namespace="mine")
    served.post(f"/api/tasks/{row.id}/proposals", CHANGE, 201)
    return row


@pytest.fixture(scope="module")
def keys(served: LookServer, task: TaskRow) -> dict[str, dict[str, str]]:
    """By who it is, the headers of requests; from now on a key is needed."""
    made = {
        "viewer": create_key(served.place, "viewer", "viewer", "mine"),
        "operator": create_key(served.place, "operator", "operator", "mine"),
        "stranger": create_key(served.place, "stranger", "admin", "yours"),
    }
    return {who: {"Authorization": f"Bearer {key.secret}"} for who, key in made.items()}


@pytest.mark.parametrize("path", LOOKING)
def test_looking_takes_a_key_that_sees_the_task(
    served: LookServer, task: TaskRow, keys: dict[str, dict[str, str]], path: str
) -> None:
    statuses = {
        who: served.client.get(f"/api/tasks/{task.id}/{path}", headers=keys.get(who, {})).status_code
        for who in ("viewer", "operator", "stranger", "nobody")
    }
    assert statuses == {"viewer": 200, "operator": 200, "stranger": 404, "nobody": 401}


@pytest.mark.parametrize(("path", "body"), CHANGING)
def test_changing_takes_an_operator(
    served: LookServer, task: TaskRow, keys: dict[str, dict[str, str]], path: str, body: Any
) -> None:
    for who, status in (("viewer", 403), ("stranger", 404), ("nobody", 401)):
        response = served.client.post(f"/api/tasks/{task.id}/{path}", json=body, headers=keys.get(who, {}))
        assert response.status_code == status, (who, response.text)
    shown = served.client.get(f"/api/tasks/{task.id}/proposals", headers=keys["viewer"]).json
    assert [each["status"] for each in shown["items"]] == ["open"]
    assert served.jobs.backlog().waiting == 0


def test_a_replay_is_for_those_who_may_look(
    served: LookServer, task: TaskRow, keys: dict[str, dict[str, str]]
) -> None:
    path = f"/api/tasks/{task.id}/replay"
    statuses = [served.client.post(path, headers=keys[who]).status_code for who in ("viewer", "stranger")]
    assert statuses == [200, 404]


def test_a_diff_does_not_reach_into_a_namespace_that_is_not_seen(
    served: LookServer, task: TaskRow, keys: dict[str, dict[str, str]]
) -> None:
    theirs = served.run(assign(0, a=1, final_answer="their secret"), namespace="yours")
    for query in (
        f"from=main&to={theirs.id}:main",
        f"from={theirs.id}:&to=main",
        f"from={theirs.id}&to=main",
    ):
        response = served.client.get(f"/api/tasks/{task.id}/diff?{query}", headers=keys["viewer"])
        assert response.status_code == 404 and "write" not in response.json.get("detail", "")
    assert (
        served.client.get(f"/api/tasks/{theirs.id}/diff?from=main", headers=keys["viewer"]).status_code == 404
    )


def test_a_plan_is_checked_by_the_tools_of_one_s_own_namespace(
    served: LookServer, task: TaskRow, keys: dict[str, dict[str, str]]
) -> None:
    plan = {"steps": [call(1, "send", "final_answer", {"value": 1})]}
    check = lambda who, **more: served.client.post(  # noqa: E731
        "/api/plans/check", json={"plan": plan, **more}, headers=keys[who]
    )
    assert check("viewer").json["valid"] is False
    assert check("viewer", namespace="yours").status_code == 404
    assert check("viewer", namespace="mine").json["valid"] is False


def test_an_operator_proposes_and_approves(
    served: LookServer, task: TaskRow, keys: dict[str, dict[str, str]]
) -> None:
    base = f"/api/tasks/{task.id}/proposals"
    made = served.client.post(base, json=CHANGE, headers=keys["operator"])
    assert (made.status_code, made.json["created_by"]) == (201, "operator")
    done = served.client.post(f"{base}/{made.json['number']}/approve", headers=keys["operator"])
    assert done.status_code == 202
    path = f"/api/tasks/{task.id}/commits/{done.json['commit']}"
    assert served.client.get(path, headers=keys["viewer"]).json["author"] == "operator"
