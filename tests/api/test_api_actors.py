"""Who may do what: keys, roles, namespaces; and who is not answered at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server

from app.services.keys import create_key
from app.services.namespaces import create_namespace

PLAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path) as server:
        yield server


def key(
    server: LookServer, role: str, namespace: str | None = None, days: int | None = None
) -> dict[str, str]:
    made = create_key(server.place, f"{role} of {namespace}", role, namespace, days)
    return {"Authorization": f"Bearer {made.secret}"}


def status(server: LookServer, method: str, path: str, headers: dict[str, str], body: Any = None) -> int:
    return server.client.open(path, method=method, headers=headers, json=body).status_code


def test_from_the_first_key_on_nobody_is_answered_without_one(server: LookServer) -> None:
    server.get("/api/tasks")
    admin = key(server, "admin")
    server.get("/api/tasks", 401)
    assert status(server, "GET", "/api/tasks", admin) == 200
    for wrong in ("", "Bearer", "Bearer x", "Bearer svm_000000000000_" + "a" * 43, "Basic !!"):
        assert status(server, "GET", "/api/tasks", {"Authorization": wrong}) == 401
    server.get("/healthz")


def test_a_key_ends_by_being_revoked_or_by_time(server: LookServer) -> None:
    admin, other = key(server, "admin"), key(server, "viewer")
    (listed,) = [
        each
        for each in server.client.get("/api/keys", headers=admin).json["items"]  # type: ignore[index]
        if each["role"] == "viewer"
    ]
    assert not any(field in listed for field in ("key", "secret", "secret_hash"))
    assert status(server, "DELETE", f"/api/keys/{listed['id']}", other) == 403
    assert status(server, "DELETE", f"/api/keys/{listed['id']}", admin) == 200
    assert status(server, "GET", "/api/tasks", other) == 401
    over = create_key(server.place, "over", "viewer", None, 1)
    with server.place.keys._database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE api_keys SET expires_ms = 1 WHERE id = ?", (over.row.id,))
    assert status(server, "GET", "/api/tasks", {"Authorization": f"Bearer {over.secret}"}) == 401


CHANGES = [
    ("POST", "/api/tasks", {"goal": "g", "plan": PLAN}),
    ("POST", "/api/tasks/{task}/cancel", {}),
    ("POST", "/api/tasks/{task}/pause", {}),
    ("POST", "/api/tasks/{task}/resume", {}),
    ("POST", "/api/tasks/{task}/decide", {"choice": "run"}),
    ("POST", "/api/tasks/{task}/set", {"variables": {"a": 1}}),
    ("POST", "/api/tasks/{task}/branches", {"revision": "main", "name": "b"}),
    ("DELETE", "/api/tasks/{task}/branches/main", None),
    ("DELETE", "/api/tasks/{task}", None),
    ("POST", "/api/tools/look/call", {"arguments": {"value": 1}}),
]
ADMINISTRATION = [
    ("POST", "/api/namespaces", {"name": "n", "allowed_tools": []}),
    ("PATCH", "/api/namespaces/n", {"description": "d"}),
    ("DELETE", "/api/namespaces/n", None),
    ("GET", "/api/keys", None),
    ("POST", "/api/keys", {"name": "n", "role": "admin"}),
    ("GET", "/api/audit", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_who_looks_changes_nothing(server: LookServer, method: str, path: str, body: Any) -> None:
    task = server.post("/api/tasks", {"goal": "g", "plan": PLAN}, 202)["task_id"]
    viewer = key(server, "viewer")
    assert status(server, method, path.format(task=task), viewer, body) == 403
    assert server.client.get(f"/api/tasks/{task}", headers=viewer).json["status"] == "queued"  # type: ignore[index]


@pytest.mark.parametrize(("method", "path", "body"), ADMINISTRATION)
def test_who_operates_does_not_administer(server: LookServer, method: str, path: str, body: Any) -> None:
    assert status(server, method, path, key(server, "operator"), body) == 403


def test_another_namespace_is_not_there(server: LookServer) -> None:
    for name in ("mine", "theirs"):
        create_namespace(server.place, name, ["look"])
    mine, theirs = key(server, "operator", "mine"), key(server, "operator", "theirs")
    submitted = server.client.post("/api/tasks", json={"goal": "g", "plan": PLAN}, headers=mine).json
    assert submitted is not None
    assert submitted["namespace"] == "mine"
    path = f"/api/tasks/{submitted['task_id']}"
    assert status(server, "GET", path, mine) == 200
    for method, url, body in [("GET", path, None), *CHANGES[1:9]]:
        assert status(server, method, url.format(task=submitted["task_id"]), theirs, body) == 404
    assert server.client.get("/api/tasks", headers=theirs).json["items"] == []  # type: ignore[index]
    assert server.client.get("/api/tasks?namespace=mine", headers=theirs).json["items"] == []  # type: ignore[index]
    outside = {"goal": "g", "plan": PLAN, "namespace": "theirs"}
    assert status(server, "POST", "/api/tasks", mine, outside) == 404
    names = [each["namespace"] for each in server.client.get("/api/namespaces", headers=mine).json["items"]]  # type: ignore[index]
    assert names == ["mine"]
    assert status(server, "GET", "/api/namespaces/theirs", mine) == 404
    assert status(server, "GET", "/api/tools/look", mine) == 200
    assert status(server, "GET", "/api/tools/send", mine) == 404
    assert status(server, "POST", "/api/tools/send/call", mine, {"arguments": {"value": 1}}) == 404


def test_without_keys_only_this_machine_is_answered_by_its_own_name(server: LookServer) -> None:
    away = server.client.get("/api/tasks", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert away.status_code == 401
    rebound = server.client.get("/api/tasks", headers={"Host": "evil.example"})
    assert (rebound.status_code, rebound.json["code"]) == (421, "wrong-host")  # type: ignore[index]
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert server.client.get("/api/tasks", headers={"Host": host}).status_code == 200


def test_every_answer_is_hardened(server: LookServer) -> None:
    for path in ("/api/tasks", "/api/nothing", "/healthz"):
        headers = server.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
