"""The OpenAPI document tells of these resources what they answer, and what they answer to what makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from look_server import LookServer, look_server
from plans import assign

from app.api.problems import MEDIA_TYPE
from app.db.base import TaskRow

ODD = (
    "..",
    "../..",
    "\0",
    "a" * 10_000,
    "a//b",
    "маin",
    "main\u202e",
    "%",
    "~",
    "^",
    "~~1",
    ":",
    "'\"\\",
    " ",
    "é",
)


DEEP = [b'{"plan": %s%s}' % (b"[" * depth, b"]" * depth) for depth in (100, 250, 400, 600, 800, 900, 950)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("document")) as server:
        yield server


@pytest.fixture(scope="module")
def task(served: LookServer) -> TaskRow:
    return served.run(assign(0, a=1, final_answer=2))


@pytest.fixture(scope="module")
def operations(served: LookServer) -> dict[str, Any]:
    document = served.get("/api/openapi.json")
    tags = {"commits", "looking back", "proposals", "plans"}
    return {
        f"{method} {path}": {**operation, "path": path, "method": method}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and tags & set(operation.get("tags", ()))
    }


def test_every_operation_has_a_name_an_answer_and_its_errors(operations: dict[str, Any]) -> None:
    assert len(operations) == 25
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for name, operation in operations.items():
        good = [status for status in operation["responses"] if status.startswith("2")]
        assert good, name
        for status in good:
            assert operation["responses"][status]["content"]["application/json"]["schema"], name
        for status in ("401", "403", "429"):
            assert MEDIA_TYPE in operation["responses"][status]["content"], name
        numbers = [each for each in operation["parameters"] if each["name"] == "number"]
        assert all(each["schema"]["type"] == "integer" for each in numbers), name


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_get_a_documented_answer(
    served: LookServer, task: TaskRow, operations: dict[str, Any], odd: str
) -> None:
    """In every place of an address in turn, the others being right."""
    right = {"task_id": task.id, "rev": "main", "name": "a", "number": "1"}
    for operation in operations.values():
        names = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        for name in names:
            values = {**right, name: odd}
            path = operation["path"].format(**{key: quote(value, safe="") for key, value in values.items()})
            response = served.client.open(path, method=operation["method"].upper(), json={})
            known = set(operation["responses"]) | {"404", "405"}
            assert str(response.status_code) in known, (path[:200], response.status_code, response.text)
            assert response.status_code not in (200, 201, 202) or name == "name", path
            assert response.mimetype in (MEDIA_TYPE, "application/json"), path


@pytest.mark.parametrize("odd", ODD)
def test_odd_queries_get_a_documented_answer(
    served: LookServer, task: TaskRow, operations: dict[str, Any], odd: str
) -> None:
    right = {"task_id": task.id, "rev": "main", "name": "a", "number": "1"}
    for operation in operations.values():
        for parameter in operation["parameters"]:
            if parameter["in"] != "query":
                continue
            path = operation["path"].format(**right)
            method = operation["method"].upper()
            response = served.client.open(path, method=method, query_string={parameter["name"]: odd})
            assert str(response.status_code) in operation["responses"], (
                path,
                parameter["name"],
                response.text,
            )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"3", b"null", b'"x"', b"\xff", b'{"plan": NaN}', b"[" * 100_000, *DEEP]
)
def test_odd_bodies_get_a_documented_answer(
    served: LookServer, task: TaskRow, operations: dict[str, Any], body: bytes
) -> None:
    right = {"task_id": task.id, "rev": "main", "name": "a", "number": "1"}
    for operation in operations.values():
        if "requestBody" not in operation:
            continue
        path = operation["path"].format(**right)
        response = served.client.post(path, data=body, content_type="application/json")
        assert str(response.status_code) in operation["responses"], (path, response.text)
