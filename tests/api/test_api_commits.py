"""``/api/tasks/{id}/commits``: log, commits, states, values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call

from app.api.models import CommitOut, LogOut, StateOut, ValueOut
from app.db.base import TaskRow
from app.services.branches import fork_branch

ROWS = [{"number": number, "text": "x" * 20} for number in range(2_000)]
TABLE = {f"key {number:04d}": "y" * 30 for number in range(1_500)}
TEXT = "äöü" * 100_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("commits")) as server:
        yield server


@pytest.fixture(scope="module")
def task(served: LookServer) -> TaskRow:
    return served.run(
        assign(0, rows=ROWS, table=TABLE, text=TEXT, small={"a": [1, 2]}, nothing=None),
        call(1, "look", "seen", {"value": "${small.a[1]}"}),
        assign(2, small={"a": [3]}),
        assign(3, final_answer="done ${seen}"),
    )


def url(task: TaskRow, *parts: str) -> str:
    return "/".join([f"/api/tasks/{task.id}/commits", *parts])


def test_the_log_has_every_commit_once_whatever_the_page(served: LookServer, task: TaskRow) -> None:
    whole = LogOut.model_validate(served.get(url(task)))
    assert [each.kind for each in whole.items] == ["step", "step", "step", "step", "plan", "goal"]
    assert whole.next is None and whole.items[0].record is None
    pages, cursor = [], None
    while True:
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = served.get(url(task), **query)
        pages += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert pages == served.get(url(task))["items"]


def test_a_log_goes_on_where_it_was_though_the_branch_has_moved(served: LookServer) -> None:
    row = served.run(assign(0, a=1), assign(1, final_answer=2))
    first = served.get(url(row), limit=2)
    at = served.get(url(row), rev="main~1")["items"]
    assert first["items"][1] == at[0]
    rest = served.get(url(row), limit=100, cursor=first["next"])
    assert rest["items"] == at[1:]


def test_a_log_begins_at_a_revision(served: LookServer, task: TaskRow) -> None:
    items = served.get(url(task), rev="main~2", records="true")["items"]
    assert items[0]["subject"].startswith("step 1") and items[0]["record"]["tool"] == "look"
    assert served.get(url(task), branch="main", limit=1)["items"][0]["seq_no"] == 3


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"rev": "nope"}, 404, "not-found"),
        ({"rev": "main", "branch": "main"}, 422, "invalid-input"),
        ({"cursor": "!"}, 422, "invalid-input"),
        ({"cursor": "WzFd"}, 422, "invalid-input"),
        ({"cursor": "WyJtYWluIl0"}, 422, "invalid-input"),
        ({"limit": 0}, 422, "invalid-input"),
        ({"limit": 10**30}, 422, "invalid-input"),
        ({"limits": 3}, 422, "invalid-input"),
        ({"rev": "main~99"}, 422, "invalid-input"),
    ],
)
def test_what_is_no_page_is_refused(
    served: LookServer, task: TaskRow, query: dict[str, Any], status: int, code: str
) -> None:
    assert served.get(url(task), status, **query)["code"] == code


def test_a_cursor_of_another_task_leads_nowhere(served: LookServer, task: TaskRow) -> None:
    cursor = served.get(url(task), limit=1)["next"]
    other = served.run(assign(0, final_answer="other"))
    assert served.get(url(other), 404, cursor=cursor)["code"] == "not-found"


def test_a_commit_has_its_record(served: LookServer, task: TaskRow) -> None:
    found = served.get(url(task, "main~2"))
    CommitOut.model_validate(found)
    assert found["record"]["inputs"] == {"value": 2}
    assert served.get(url(task, found["commit"][:7])) == found
    assert served.get(url(task, found["commit"], "record")) == found["record"]
    assert served.get(url(task, "9" * 40), 404)["code"] == "not-found"


def test_a_commit_is_kept_by_whoever_has_it(served: LookServer, task: TaskRow) -> None:
    commit = served.get(url(task, "main"))["commit"]
    for rev, kept in (("main", "private, no-cache"), (commit, "private, max-age=31536000, immutable")):
        for part in ((), ("state",), ("record",), ("plan",), ("variables", "small")):
            first = served.client.get(url(task, rev, *part))
            assert (first.status_code, first.headers["Cache-Control"]) == (200, kept)
            tag = first.headers["ETag"]
            assert not tag.startswith("W/")
            again = served.client.get(url(task, rev, *part), headers={"If-None-Match": tag})
            assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
            other = served.client.get(url(task, "main~1", *part), headers={"If-None-Match": tag})
            assert other.status_code == 200


def test_a_state_has_small_values_and_says_where_large_ones_are(served: LookServer, task: TaskRow) -> None:
    found = served.get(url(task, "main", "state"))
    StateOut.model_validate(found)
    assert (found["control"]["status"], found["count"], found["next"]) == ("completed", 7, None)
    assert found["plan"]["steps"][3]["seq_no"] == 3 and found["goal"]["goal"] == "a goal"
    by_name = {each["name"]: each for each in found["variables"]}
    assert list(by_name) == sorted(by_name)
    small, rows = by_name["small"], by_name["rows"]
    assert (small["value"], small["inline"], small["set_by"]["seq_no"]) == ({"a": [3]}, True, 2)
    assert (by_name["nothing"]["type"], by_name["nothing"]["size"], by_name["nothing"]["value"]) == (
        "null",
        None,
        None,
    )
    assert (rows["type"], rows["size"], rows["inline"], rows["set_by"]["seq_no"]) == ("list", 2_000, False, 0)
    assert "value" not in rows and rows["preview"].startswith('[{"number": 0') and len(rows["preview"]) <= 200
    assert (by_name["table"]["type"], by_name["table"]["size"]) == ("object", 1_500)
    assert (by_name["text"]["type"], by_name["text"]["size"]) == ("text", 300_000)
    assert served.get(rows["href"], limit=1)["value"] == ROWS[:1]


def test_a_state_gives_its_variables_in_pages(served: LookServer, task: TaskRow) -> None:
    first = served.get(url(task, "main", "state"), limit=3, set_by="false")
    assert [each["name"] for each in first["variables"]] == ["final_answer", "nothing", "rows"]
    assert first["variables"][0]["set_by"] is None
    rest = served.get(url(task, "main", "state"), limit=4, cursor=first["next"])
    assert [each["name"] for each in rest["variables"]] == ["seen", "small", "table", "text"]
    assert rest["next"] is None


def test_a_plan_is_that_of_the_commit(served: LookServer, task: TaskRow) -> None:
    assert len(served.get(url(task, "main", "plan"))["steps"]) == 4
    assert served.get(url(task, "main~5", "plan"), 404)["code"] == "not-found"


@pytest.mark.parametrize(
    ("name", "query", "value", "after"),
    [
        ("rows", {"offset": 0, "limit": 2}, ROWS[:2], 2),
        ("rows", {"offset": 1_234, "limit": 300}, ROWS[1_234:1_534], 1_534),
        ("rows", {"offset": 1_999}, ROWS[1_999:], None),
        ("rows", {"offset": 5_000}, [], None),
        ("rows", {"path": "[-1].number"}, 1_999, None),
        ("rows", {"path": "[77]", "limit": 1}, {"number": 77}, 1),
        ("table", {"offset": 1_400, "limit": 2}, {"key 1400": "y" * 30, "key 1401": "y" * 30}, 1_402),
        ("table", {"path": '["key 0003"]', "limit": 3}, "yyy", 3),
        ("text", {"offset": 1, "limit": 4}, "öüäö", 5),
        ("small", {"path": "a[0]"}, 3, None),
        ("nothing", {}, None, None),
    ],
)
def test_a_part_of_a_value_is_read(
    served: LookServer, task: TaskRow, name: str, query: dict[str, Any], value: Any, after: int | None
) -> None:
    found = served.get(url(task, "main", "variables", name), **query)
    ValueOut.model_validate(found)
    assert (found["value"], found["next"]) == (value, after)


def test_a_value_in_parts_is_the_value(served: LookServer, task: TaskRow) -> None:
    whole: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        part = served.get(url(task, "main", "variables", "rows"), offset=offset, limit=333)
        whole += part["value"]
        offset = part["next"]
    assert whole == ROWS
    assert served.get(url(task, "main", "variables", "rows"))["value"] == ROWS
    assert served.get(url(task, "main", "variables", "table"))["value"] == TABLE


def test_an_answer_ends_at_about_a_megabyte(served: LookServer) -> None:
    row = served.run(assign(0, rows=["z" * 100_000] * 25, final_answer=1))
    part = served.get(url(row, "main", "variables", "rows"))
    assert (len(part["value"]), part["next"], part["size"]) == (10, 10, 25)


@pytest.mark.parametrize(
    ("name", "query", "status"),
    [
        ("rowz", {}, 404),
        ("..", {}, 404),
        ("rows", {"path": "[2000]"}, 404),
        ("rows", {"path": "[-2001]"}, 404),
        ("rows", {"path": "a"}, 404),
        ("table", {"path": "[0]"}, 404),
        ("table", {"path": "nothing"}, 404),
        ("small", {"path": "a.b"}, 404),
        ("rows", {"path": "[["}, 422),
        ("rows", {"offset": -1}, 422),
        ("rows", {"offset": 1 << 70}, 422),
    ],
)
def test_what_is_not_there_is_told(
    served: LookServer, task: TaskRow, name: str, query: dict[str, Any], status: int
) -> None:
    served.get(url(task, "main", "variables", name), status, **query)


def test_branches_with_a_slash_have_an_address(served: LookServer, task: TaskRow) -> None:
    fork_branch(served.place, task, "main~1", "try/two")
    assert served.get(url(task, "try/two"))["seq_no"] == 2
    assert served.get(url(task, "try/two~1", "variables", "seen"))["value"] == 2


def test_a_list_that_is_paged_through_is_read_once(tmp_path: Path) -> None:
    """A later page reads the inner nodes and its own leaves, not all before it."""
    with look_server(tmp_path) as server:
        row = server.run(assign(0, rows=[["v" * 30, number] for number in range(20_000)], final_answer=1))
        server.get(url(row, "main", "variables", "rows"), offset=0, limit=1)
        reads = _counting_reads(server, row)
        server.get(url(row, "main", "variables", "rows"), offset=19_000, limit=10)
        assert len(reads) < 60
        assert len(reads) > 5


def _counting_reads(server: LookServer, row: TaskRow) -> list[bytes]:
    factory = server.place.stores[row.store]
    opened, reads = factory.open, []

    def open_counting(task_id: str) -> Any:
        store = opened(task_id)
        read = store.read

        def counting(oid: bytes) -> Any:
            reads.append(oid)
            return read(oid)

        store.read = counting  # type: ignore[method-assign]
        return store

    factory.open = open_counting  # type: ignore[method-assign]
    return reads


def test_who_set_a_variable_is_looked_for_among_the_last_commits_alone(
    served: LookServer, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.states.AUTHORS_WITHIN", 2)
    found = served.get(url(task, "main", "state"))["variables"]
    set_by = {each["name"]: each["set_by"] and each["set_by"]["seq_no"] for each in found}
    assert set_by == dict.fromkeys(set_by) | {"final_answer": 3, "small": 2}
