"""What makes no sense, in every place of every operation: a documented answer, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from look_server import LookServer, look_server
from plans import assign

from app.api.problems import MEDIA_TYPE

LONG = "a" * 10_000
TRICKS = [
    "../../etc/passwd",
    "..",
    "main/../other",
    "\0",
    "ma\0in",
    LONG,
    "mаin",  # a Cyrillic a
    "main\u200b",
    "main\u202e",
    "ｍａｉｎ",
    "\ud7ff\uffff",
    " main",
    "-rf",
    ".lock",
    "refs/heads/main",
    "main@{0}",
    "%2e%2e%2f",
]
ODD_BUT_RIGHT = ("mаin", "ｍａｉｎ", "refs/heads/main", "%2e%2e%2f")
"""Git takes these for branches too: each is another branch than main."""
TOO_LONG = (LONG,)
METHODS = ("get", "post", "put", "patch", "delete")
PLAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]
BODIES: dict[str, dict[str, Any]] = {
    "submit": {"goal": "g", "plan": PLAN},
    "create_key": {"name": "k", "role": "viewer"},
    "create_namespace": {"name": "n", "allowed_tools": []},
    "fork": {"revision": "main", "name": "b"},
    "set_variables": {"variables": {"a": 2}, "resume": False},
    "decide": {"choice": "run"},
    "create_proposal": {"plan": PLAN},
    "create_comment": {"body": "well"},
    "check_plan": {"plan": PLAN},
    "diff_plans": {"old": PLAN, "new": PLAN},
}
"""What each takes; the others take ``{}``."""
READING = ("check_plan", "diff_plans", "replay")


def ascii_start(name: str) -> str:
    """What a test is called."""
    return ascii(name)[:20]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("bad")) as server:
        yield server


@pytest.fixture(scope="module")
def task_id(served: LookServer) -> str:
    return served.run(assign(0, a=1, final_answer=2)).id


@pytest.fixture(scope="module")
def operations(served: LookServer) -> list[dict[str, Any]]:
    document = served.get("/api/openapi.json")
    return [
        {**operation, "path": path, "method": method.upper()}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS and "events" not in operation["tags"]  # nobody streams in this server
    ]


def everything(served: LookServer, task_id: str) -> list[Any]:
    """What there is, as far as anybody can see."""
    paths = ("tasks", "namespaces", "keys", f"tasks/{task_id}", f"tasks/{task_id}/branches")
    paths = (*paths, f"tasks/{task_id}/proposals", f"tasks/{task_id}/commits", "audit")
    return [served.get(f"/api/{path}") for path in paths]


def ask(served: LookServer, operation: dict[str, Any], path: str, **more: Any) -> Any:
    if "requestBody" in operation and "data" not in more:
        more["json"] = more.get("json", BODIES.get(operation["operationId"], {}))
    return served.client.open(path, method=operation["method"], buffered=False, **more)


def documented(operation: dict[str, Any], response: Any) -> None:
    """It is an error of the document, as problem details."""
    about = (operation["method"], operation["path"], response.status_code)
    assert response.status_code in {*map(int, operation["responses"]), 404, 405}, about
    assert 400 <= response.status_code < 500, about
    assert response.mimetype == MEDIA_TYPE, about
    found = response.json
    assert found["status"] == response.status_code, about
    assert found["type"] == f"urn:stackvm:problem:{found['code']}", about
    assert LONG not in found["title"], about


@pytest.mark.parametrize("trick", TRICKS, ids=ascii_start)
def test_tricks_in_addresses(
    served: LookServer, task_id: str, operations: list[dict[str, Any]], trick: str
) -> None:
    """In each place in turn, the others being right."""
    before = everything(served, task_id)
    right = {"task_id": task_id, "rev": "main", "name": "a", "number": "1", "key_id": "k"}
    for operation in operations:
        places = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        for place in places:
            values = {**right, place: trick}
            path = operation["path"]
            for name, value in values.items():
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            documented(operation, ask(served, operation, path))
    assert everything(served, task_id) == before


@pytest.mark.parametrize("trick", TRICKS, ids=ascii_start)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/tasks", {"goal": "g", "plan": PLAN, "namespace": "TRICK"}),
        ("/api/namespaces", {"name": "TRICK", "allowed_tools": []}),
        ("/api/keys", {"name": "k", "role": "viewer", "namespace": "TRICK"}),
        ("/api/keys", {"name": "k", "role": "TRICK"}),
        ("/api/tasks/{task}/branches", {"revision": "TRICK", "name": "b"}),
        ("/api/tasks/{task}/set", {"variables": {"TRICK": 1}, "resume": False, "at": "TRICK"}),
        ("/api/tasks/{task}/set", {"variables": {"a": 1}, "resume": False, "at": "TRICK"}),
        ("/api/tasks/{task}/pause", {"branch": "TRICK"}),
        ("/api/tasks/{task}/cancel", {"branch": "TRICK"}),
        ("/api/tasks/{task}/resume", {"branch": "TRICK"}),
        ("/api/tasks/{task}/proposals", {"plan": PLAN, "branch": "TRICK"}),
        ("/api/plans/check", {"plan": PLAN, "namespace": "TRICK"}),
    ],
)
def test_tricks_in_names(
    served: LookServer, task_id: str, path: str, body: dict[str, Any], trick: str
) -> None:
    before = everything(served, task_id)
    sent = json.loads(json.dumps(body).replace("TRICK", json.dumps(trick)[1:-1]))
    response = served.client.post(path.format(task=task_id), json=sent)
    assert response.status_code in (404, 422), response.text[:300]
    assert response.mimetype == MEDIA_TYPE
    assert everything(served, task_id) == before


@pytest.mark.parametrize("name", TRICKS, ids=ascii_start)
def test_no_branch_is_called_so(served: LookServer, task_id: str, name: str) -> None:
    before = everything(served, task_id)
    response = served.client.post(f"/api/tasks/{task_id}/branches", json={"revision": "main", "name": name})
    if response.status_code == 201:  # letters of another alphabet are letters
        assert name in ODD_BUT_RIGHT, name
        path = f"/api/tasks/{task_id}/branches/{quote(name, safe='/')}"
        assert served.client.delete(path).status_code == 204
        return
    code = "invalid-input" if name in TOO_LONG else "invalid-name"
    assert (response.status_code, response.json["code"]) == (422, code), response.text[:300]
    assert response.mimetype == MEDIA_TYPE
    assert everything(served, task_id) == before


@pytest.mark.parametrize("name", [name for name in TRICKS if name not in ODD_BUT_RIGHT], ids=ascii_start)
def test_a_malformed_name_has_one_status_wherever_a_branch_is_made(
    served: LookServer, task_id: str, name: str
) -> None:
    before = everything(served, task_id)
    for path, body in (
        ("branches", {"revision": "main"}),
        ("set", {"variables": {"a": 1}, "resume": False}),
        ("proposals", {"plan": PLAN}),
    ):
        response = served.client.post(f"/api/tasks/{task_id}/{path}", json={**body, "name": name})
        code = "invalid-input" if name in TOO_LONG else "invalid-name"
        assert (response.status_code, response.json["code"]) == (422, code), (path, response.text[:300])
    assert everything(served, task_id) == before


@pytest.mark.parametrize("name", ["a\u202eb", "a\u200bb", "e\u0301"], ids=ascii_start)
def test_tags_and_keys_are_called_by_what_can_be_seen(served: LookServer, task_id: str, name: str) -> None:
    before = everything(served, task_id)
    for path, body in (
        ("tasks", {"goal": "g", "plan": PLAN, "tags": [name]}),
        ("keys", {"name": name, "role": "viewer"}),
    ):
        response = served.client.post(f"/api/{path}", json=body)
        assert (response.status_code, response.json["code"]) == (422, "invalid-name"), response.text[:300]
        assert f"U+{ord(name[1]):04X}" in response.json["title"]
    assert everything(served, task_id) == before


WRONG_BODIES = [
    (b"", {400}),
    (b"{", {400}),
    (b"\xff\xfe", {400}),
    (b"[" * 100_000, {400, 422}),
    (b"[]", {422}),
    (b"3", {422}),
    (b"null", {422}),
    (b'"x"', {422}),
    (b'{"unknown": 1}', {422}),
]


@pytest.mark.parametrize(("body", "statuses"), WRONG_BODIES, ids=lambda value: ascii(value)[:20])
def test_wrong_bodies(
    served: LookServer, task_id: str, operations: list[dict[str, Any]], body: bytes, statuses: set[int]
) -> None:
    before = everything(served, task_id)
    for operation in operations:
        if "requestBody" not in operation or (
            b"unknown" in body and operation["operationId"] == "stream_execute"
        ):
            continue
        path = operation["path"].replace("{task_id}", task_id).replace("{number}", "1").replace("{name}", "a")
        response = ask(served, operation, path, data=body, content_type="application/json")
        documented(operation, response)
        assert response.status_code in statuses, (path, response.text[:300])
    assert everything(served, task_id) == before


def test_fifty_megabytes_are_refused_everywhere(
    served: LookServer, task_id: str, operations: list[dict[str, Any]]
) -> None:
    before = everything(served, task_id)
    body = b'{"goal": "' + b"a" * (50 << 20) + b'"}'
    for operation in operations:
        if "requestBody" not in operation:
            continue
        path = operation["path"].replace("{task_id}", task_id).replace("{number}", "1").replace("{name}", "a")
        response = ask(served, operation, path, data=body, content_type="application/json")
        assert response.status_code == 413, (path, response.status_code)
        documented(operation, response)
    assert everything(served, task_id) == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_does_not_say_that_it_is_json_is_not_read_as_such(served: LookServer, kind: str) -> None:
    """A form of somebody else's page would be sent by a browser without asking anybody."""
    sent = json.dumps({"goal": "g", "plan": PLAN})
    response = served.client.post("/api/tasks", data=sent, content_type=kind)
    assert (response.status_code, response.json["code"]) == (415, "unsupported-media-type")  # type: ignore[index]


def test_pages_of_others_change_nothing(served: LookServer) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:9"):
        response = served.client.post(
            "/api/tasks", json={"goal": "g", "plan": PLAN}, headers={"Origin": origin}
        )
        assert (response.status_code, response.json["code"]) == (403, "forbidden")  # type: ignore[index]
    own = served.client.post(
        "/api/tasks", json={"goal": "g", "plan": PLAN}, headers={"Origin": "http://localhost"}
    )
    assert own.status_code == 202
