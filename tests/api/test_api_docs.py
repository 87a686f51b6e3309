"""The document is one that clients can be made from; its page is ours alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server

from app.services.keys import create_key

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path) as server:
        yield server


def operations(served: LookServer) -> dict[str, dict[str, Any]]:
    document = served.get("/api/openapi.json")
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_operation_has_a_name_a_summary_answers_and_who_may_ask(served: LookServer) -> None:
    found = operations(served)
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names)
    for about, operation in found.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), about
        assert operation["summary"], about
        assert operation["tags"], about
        is_open = about in ("get /healthz", "get /readyz")
        assert (operation["security"] == []) == is_open, about
        good = {status: told for status, told in operation["responses"].items() if status.startswith("2")}
        assert good, about
        for status, told in good.items():
            assert status == "204" or all(each["schema"] for each in told["content"].values()), about
        assert {"401", "403", "429"} <= set(operation["responses"]), about
        if "requestBody" in operation:
            assert operation["requestBody"]["required"] is True, about
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), about


def test_references_and_tags_of_the_document_are_there(served: LookServer) -> None:
    document = served.get("/api/openapi.json")
    names = [tag["name"] for tag in document["tags"]]
    assert len(set(names)) == len(names)
    for name in re.findall(
        r'"\$ref":"#/components/schemas/([^"]+)"', served.client.get("/api/openapi.json").text
    ):
        assert name in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        placed = set(re.findall(r"\{(\w+)\}", path))
        for method in METHODS:
            parameters = methods.get(method, {}).get("parameters", ())
            if method in methods:
                assert {each["name"] for each in parameters if each["in"] == "path"} == placed, path


def test_the_page_needs_nothing_from_elsewhere(served: LookServer) -> None:
    page = served.client.get("/api/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"/api/docs/docs.js", "/api/docs/docs.css", "/api/openapi.json"} == set(parts)
    assert "<script>" not in page.text
    assert " style=" not in page.text
    for part in parts:
        assert served.client.get(part).status_code == 200
    for part in ("/api/docs/docs.js", "/api/docs/docs.css"):
        text = served.client.get(part).text
        assert not re.search(r"https?://|innerHTML|eval\(", text)
    assert served.client.get("/api/docs/guard.py").status_code == 404


def test_the_page_is_anybodys_and_the_document_is_not(served: LookServer) -> None:
    create_key(served.place, "first", "admin", None, None)
    for path in ("/api/docs", "/api/docs/docs.js", "/api/docs/docs.css"):
        assert served.client.get(path).status_code == 200
    for path in ("/api/openapi.json", "/api/docs/other", "/api/docs/"):
        assert served.client.get(path).status_code == 401
