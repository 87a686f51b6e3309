"""What both fake servers share: a thread on the loopback, canned answers in order, and what was asked of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One canned HTTP answer. ``pieces`` are sent one after the other, flushed, with ``pause`` seconds between; an
    event among them is waited for.

    ``cut`` ends the connection without the end of the chunked body; ``wait`` is silence before the status line.
    """

    status: int = 200
    pieces: list[str | threading.Event] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    pause: float = 0.0
    cut: bool = False


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class FakeServer:
    """Gives its ``answers`` in order; a callable answer gets the request's body. Keeps every request."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[Asked] = []
        self.stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answer = outer.answers.pop(0)
                outer.send(self, answer(body) if callable(answer) else answer)

            def do_GET(self) -> None:
                outer.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, {}))
                outer.send(self, outer.answers.pop(0))

            def log_message(self, *args: Any) -> None:
                """Nothing on the terminal."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gave up is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        self.stop.wait(answer.wait)
        handler.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for piece in answer.pieces:
            if isinstance(piece, threading.Event):
                while not piece.wait(0.02) and not self.stop.is_set():
                    pass
                continue
            data = piece.encode()
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()
            self.stop.wait(answer.pause)
        if not answer.cut:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = answer.cut

    def close(self) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def running(server: FakeServer) -> Iterator[FakeServer]:
    try:
        yield server
    finally:
        server.close()
