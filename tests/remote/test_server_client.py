"""The client of a server: sent once however often, patient where that helps, errors as what they were."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.cli.exit_codes import code_of_error
from app.errors import (
    BaseMoved,
    Busy,
    ConfigurationError,
    Conflict,
    NotFound,
    PlanRejected,
    ServerFailed,
    StackVMError,
)
from app.remote.client import ServerClient
from app.remote.documents import report_of, understood
from app.remote.problems import error_of


class Scripted(ThreadingHTTPServer):
    """Answers as the test says, in this order; an answer that is ``None`` is a connection that breaks."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str], Any] | None] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.keys.append(self.headers["Idempotency-Key"])
        answer = self.server.answers.pop(0)
        self.close_connection = True
        if answer is None:
            return
        status, headers, document = answer
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_proxy_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "bogus://proxy")
    with pytest.raises(ConfigurationError, match="proxy can't be used"):
        ServerClient("http://127.0.0.1:1")


def test_what_is_sent_again_is_the_same_request(scripted: Scripted) -> None:
    under_way = {"code": "request-under-way", "title": "under way"}
    scripted.answers = [None, (409, {}, under_way), (202, {}, {"task_id": "a"})]
    with ServerClient(scripted.url) as client:
        assert client.post("/api/tasks", {"goal": "g"}) == {"task_id": "a"}
        assert len(scripted.keys) == 3
        assert len(set(scripted.keys)) == 1
        scripted.answers = [(202, {}, {})]
        client.post("/api/tasks", {"goal": "g"})
    assert scripted.keys[3] not in (None, scripted.keys[0])


def test_a_busy_server_is_asked_again_when_it_says(scripted: Scripted) -> None:
    busy = (429, {"Retry-After": "0"}, {"code": "busy", "title": "10 runs wait already"})
    scripted.answers = [busy, (200, {}, [])]
    with ServerClient(scripted.url) as client:
        assert client.get("/api/tasks") == []
        scripted.answers = [(429, {"Retry-After": "3600"}, busy[2])]
        with pytest.raises(ServerFailed, match="10 runs wait already"):
            client.get("/api/tasks")


def test_what_is_refused_is_not_asked_again(scripted: Scripted) -> None:
    scripted.answers = [(404, {}, {"code": "not-found", "title": "no task 'a'", "detail": "look"})]
    with ServerClient(scripted.url) as client, pytest.raises(NotFound) as raised:
        client.get("/api/tasks/a")
    assert (raised.value.message, raised.value.hint) == ("no task 'a'", "look")


@pytest.mark.parametrize(
    ("status", "code", "kind", "exit_code"),
    [
        (404, "not-found", NotFound, 2),
        (409, "conflict", Conflict, 2),
        (409, "base-moved", BaseMoved, 2),
        (422, "plan-rejected", PlanRejected, 4),
        (429, "busy", ServerFailed, 1),
        (500, "internal", ServerFailed, 1),
        (418, "from the future", ServerFailed, 1),
    ],
)
def test_a_problem_is_the_error_that_it_was(
    status: int, code: str, kind: type[StackVMError], exit_code: int
) -> None:
    error = error_of(status, {"code": code, "title": "said", "findings": [{"code": "P001"}, 7]}, "http://a")
    assert type(error) is kind
    assert "said" in error.message
    assert code_of_error(error) == exit_code
    assert not isinstance(error, Busy)


@pytest.mark.parametrize(
    "document", [{}, [], "text", {"title": 7, "detail": [], "problems": [3], "code": None}]
)
def test_odd_problems_are_errors_too(document: Any) -> None:
    error = error_of(500, document if isinstance(document, dict) else {}, "http://a")
    assert error.message == "http://a: status 500"


def test_a_document_of_another_version_is_said_to_be_one() -> None:
    with pytest.raises(ServerFailed, match="report is not understood"), understood("report"):
        report_of({"task_id": "a"})
