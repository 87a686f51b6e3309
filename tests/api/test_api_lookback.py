"""Diff, blame, values, bisect, explain, replay over HTTP: as the commands give them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call

from app.api.models import BisectOut, BlameOut, DiffOut, ExplainOut, ReplayOut, ValuesOut
from app.db.base import TaskRow
from app.services import replays
from app.services.diffs import diff_revisions
from app.services.edits import set_variables


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("lookback")) as server:
        yield server


@pytest.fixture(scope="module")
def task(served: LookServer) -> TaskRow:
    row = served.run(
        assign(0, total=1),
        call(1, "look", "seen", {"value": "${total}"}),
        assign(2, total=2),
        assign(3, total=30),
        assign(4, final_answer="${total}"),
    )
    set_variables(served.place, row, {"total": 7}, "main~3", "edited")
    return served.place.tasks.get(row.id)


def url(task: TaskRow, *parts: str) -> str:
    return "/".join([f"/api/tasks/{task.id}", *parts])


def test_a_diff_is_the_command_s(served: LookServer, task: TaskRow) -> None:
    found = served.get(url(task, "diff"), from_="main~3", to="edited")
    DiffOut.model_validate(found)
    assert found == diff_revisions(served.place, task, "main~3", "edited").to_json()
    assert set(found) == {"from", "to", "plan", "state", "text", "runs"}
    state = served.get(url(task, "diff"), from_="main~3", to="edited", form="state")
    assert set(state) == {"from", "to", "state"}
    assert state["state"]["variables"] == [{"name": "total", "change": "changed", "old": 1, "new": 7}]
    text = served.get(url(task, "diff"), from_="main~2", to="main~1", form="text")["text"]
    assert text.startswith("diff --git a/record.json b/record.json")


def test_a_diff_goes_to_the_head_of_the_current_branch(served: LookServer, task: TaskRow) -> None:
    head = served.get(url(task, "commits", "edited"))["commit"]
    assert served.get(url(task, "diff"), from_="main", form="plan")["to"] == head


def test_a_diff_reaches_into_another_task(served: LookServer, task: TaskRow) -> None:
    other = served.run(assign(0, total=1), assign(1, final_answer=5))
    found = served.get(url(task, "diff"), from_="main", to=f"{other.id[:8]}:main", form="plan")
    kinds = {step["kind"] for step in found["plan"]["steps"]}
    assert "removed" in kinds
    assert served.get(url(task, "diff"), from_="main", to=f"{other.id}:", form="plan") == found


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 422),
        ({"from": ""}, 422),
        ({"from": "nope"}, 404),
        ({"from": "main", "to": "zzzz:main"}, 404),
        ({"from": "main", "form": "colour"}, 422),
        ({"from": "x" * 301}, 422),
    ],
)
def test_what_is_no_diff_is_refused(
    served: LookServer, task: TaskRow, query: dict[str, str], status: int
) -> None:
    served.get(url(task, "diff"), status, **query)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("diff", {"from": "main~2", "to": "main", "form": "text"}),
        ("blame", {"rev": "main"}),
        ("values/total", {"rev": "main"}),
        ("bisect", {"rev": "main", "expression": "total < 10"}),
        ("commits", {"rev": "main"}),
    ],
)
def test_what_hangs_on_commits_is_not_sent_twice(
    served: LookServer, task: TaskRow, path: str, query: dict[str, str]
) -> None:
    first = served.client.get(url(task, path), query_string=query)
    assert first.status_code == 200, first.text
    tag = {"If-None-Match": first.headers["ETag"]}
    again = served.client.get(url(task, path), query_string=query, headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    moved = {**query, "from": "main~1"} if path == "diff" else {**query, "rev": "main~1"}
    assert served.client.get(url(task, path), query_string=moved, headers=tag).status_code == 200


def test_runs_are_always_compared_anew(served: LookServer, task: TaskRow) -> None:
    first = served.client.get(url(task, "diff"), query_string={"from": "main", "form": "runs"})
    assert (first.status_code, "ETag" in first.headers) == (200, False)


def test_blame_names_the_commit_that_set_a_variable(served: LookServer, task: TaskRow) -> None:
    found = BlameOut.model_validate(served.get(url(task, "blame"), rev="main"))
    assert {each.name: each.set_by.seq_no for each in found.variables} == {
        "final_answer": 4,
        "seen": 1,
        "total": 3,
    }
    one = served.get(url(task, "blame"), rev="edited", name="total")["variables"]
    assert one[0]["origin"]["who"] == "tester"
    served.get(url(task, "blame"), 404, name="totl")


def test_large_values_are_told_by_their_beginning(served: LookServer) -> None:
    large = [{"number": number} for number in range(5_000)]
    row = served.run(assign(0, rows=large), assign(1, final_answer=1))
    for each in (
        served.get(url(row, "blame"), name="rows")["variables"][0],
        served.get(url(row, "values", "rows"))["items"][0],
    ):
        assert (each["type"], each["size"], each["inline"], "value" in each) == ("list", 5_000, False, False)
        assert served.get(each["href"], offset=4_999)["value"] == large[-1:]


def test_values_come_newest_first_in_pages(served: LookServer, task: TaskRow) -> None:
    whole = ValuesOut.model_validate(served.get(url(task, "values", "total"), rev="main"))
    assert [each.value for each in whole.items] == [30, 2, 1] and whole.next is None
    first = served.get(url(task, "values", "total"), rev="main", limit=2)
    rest = served.get(url(task, "values", "total"), cursor=first["next"])
    assert [each["value"] for each in [*first["items"], *rest["items"]]] == [30, 2, 1]
    assert rest["next"] is None
    served.get(url(task, "values", "nothing"), 404)
    served.get(url(task, "values", "total"), 422, cursor="WyJtYWluIl0")


def test_bisect_finds_where_an_expression_turns(served: LookServer, task: TaskRow) -> None:
    found = BisectOut.model_validate(served.get(url(task, "bisect"), rev="main", expression="total < 10"))
    assert found.first_false is not None and found.first_false.seq_no == 3
    never = served.get(url(task, "bisect"), rev="main", expression="total < 100")
    assert never["first_false"] is None
    for wrong in ("", "1 <", "total", "missing > 1"):
        response = served.client.get(url(task, "bisect"), query_string={"expression": wrong})
        assert response.status_code in (404, 422), response.text


def test_explain_says_why_steps_ran(served: LookServer, task: TaskRow) -> None:
    found = ExplainOut.model_validate(served.get(url(task, "explain"), branch="main"))
    assert (found.branch, found.forked_from, len(found.steps)) == ("main", None, 5)
    edited = served.get(url(task, "explain"), branch="edited")
    assert edited["forked_from"]["branch"] == "main"
    assert len(served.get(url(task, "explain"), branch="main", step=1)["steps"]) == 1
    served.get(url(task, "explain"), 404, branch="main", step=99)


def test_replay_comes_to_the_same_ids(served: LookServer, task: TaskRow) -> None:
    found = served.post(url(task, "replay"), branch="main")
    ReplayOut.model_validate(found)
    assert (found["identical"], found["complete"], found["commits"]) == (True, True, 7)
    assert served.client.get(url(task, "replay")).status_code == 405
    served.post(url(task, "replay"), None, 404, branch="nope")


def test_a_replay_that_takes_long_is_ended(
    served: LookServer, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(0, 1_000, 8))
    monkeypatch.setattr(replays, "monotonic", lambda: next(ticks))
    found: dict[str, Any] = served.post(url(task, "replay"), branch="main")
    assert (found["identical"], found["complete"], found["commits"]) == (None, False, 3)
