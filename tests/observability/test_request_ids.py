"""Every answer has a request id, the client's own where that is a plain word."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "api"))

from look_server import LookServer, look_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path) as server:
        yield server


@pytest.mark.parametrize("given", ["a", "7f0c-11", "a.b_c:d+e/f=", "x" * 128])
def test_a_plain_word_is_taken_over(server: LookServer, given: str) -> None:
    assert server.client.get("/api/tasks", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", " ", "x" * 129, "a b", 'a"b', "-a", "ä", "a\tb"])
def test_anything_else_is_replaced(server: LookServer, given: str) -> None:
    answer = server.client.get("/api/tasks", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/nowhere", 404), ("/api/tasks/none", 404), ("/api/tasks?limit=x", 422), ("/healthz", 200)],
)
def test_errors_have_one_too(server: LookServer, path: str, status: int) -> None:
    answer = server.client.get(path, headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, "mine")


def test_the_next_request_has_another(server: LookServer) -> None:
    ids = {server.client.get("/healthz").headers["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5
