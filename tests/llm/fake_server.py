"""What both fake servers share: a thread on the loopback, canned answers, and what was asked of them.

Answers are given in order, each once. One that was put with :meth:`FakeServer.on` waits for the request it is meant
for: of a purpose, of a model, with words in it.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_PURPOSES = {
    "You write plans": "plan",
    "You revise plans": "revise",
    "You decide one question": "judge",
    "You write what a step": "generate",
}
"""How the system messages of StackVM's prompts begin."""


@dataclass
class Answer:
    """One canned HTTP answer. ``pieces`` are sent one after the other, flushed, with ``pause`` seconds between; an
    event among them is waited for.

    ``cut`` ends the connection without the end of the chunked body; ``wait`` is silence before the status line.
    With ``go_on``, what comes behind the piece with the index ``hold`` waits until that is set, at most 15 seconds;
    then it is cut.
    """

    status: int = 200
    pieces: list[str | threading.Event] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    pause: float = 0.0
    cut: bool = False
    hold: int = 1
    go_on: threading.Event | None = None


@dataclass
class Asked:
    """A request as it came, ``at`` a time of ``time.monotonic``."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = 0.0

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def messages(self) -> list[dict[str, str]]:
        return list(self.body["messages"])

    @property
    def purpose(self) -> str | None:
        """``plan``, ``revise``, ``judge``, ``generate``; ``None`` where no prompt of StackVM was sent."""
        first = self.messages[0]["content"]
        return next((name for words, name in _PURPOSES.items() if first.startswith(words)), None)

    @property
    def last(self) -> str:
        """The last message of the user."""
        return [message["content"] for message in self.messages if message["role"] == "user"][-1]


@dataclass(frozen=True)
class Meant:
    """Which requests an answer is for. ``match`` is looked for in the user's last message."""

    purpose: str | None = None
    model: str | None = None
    match: str | None = None

    def fits(self, asked: Asked) -> bool:
        return (
            (self.purpose is None or self.purpose == asked.purpose)
            and (self.model is None or self.model == asked.model)
            and (self.match is None or re.search(self.match, asked.last) is not None)
        )


@dataclass
class Turn:
    """An answer that waits for its request. A callable gets the request's body."""

    meant: Meant
    answer: Answer | Callable[[dict[str, Any]], Answer]


class FakeServer:
    """Keeps every request in ``asked``, and those it had no answer for in ``unanswered`` too.

    ``lacks`` names modes of structured output it refuses, each with status and words.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.asked: list[Asked] = []
        self.unanswered: list[Asked] = []
        self.lacks: dict[str, tuple[int, str]] = {}
        self.stop = threading.Event()
        self._meant = Meant()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.path, headers, body, time.monotonic())
                outer.send(self, outer.take(asked))

            def do_GET(self) -> None:
                outer.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, {}))
                outer.send(self, outer.next())

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

    def on(self, purpose: str | None = None, *, model: str | None = None, match: str | None = None) -> Self:
        """The same server; what is put through it waits for such a request."""
        view = copy.copy(self)
        view._meant = Meant(purpose, model, match)
        return view

    def put(self, answer: Answer | Callable[[dict[str, Any]], Answer]) -> None:
        """One more answer, behind the others."""
        self.turns.append(Turn(self._meant, answer))

    def put_all(self, answers: Iterable[Answer]) -> None:
        """Several more."""
        for answer in answers:
            self.put(answer)

    def answer_with(self, answers: Iterable[Answer]) -> None:
        """These and no others."""
        self.forget()
        self.put_all(answers)

    def forget(self) -> None:
        """The answers that were not asked for."""
        self.turns.clear()

    def next(self) -> Answer:
        """The next answer, whatever it is for."""
        answer = self.turns.pop(0).answer
        assert isinstance(answer, Answer)
        return answer

    def take(self, asked: Asked) -> Answer:
        """The answer to a request, which is then used up."""
        with self._lock:
            self.asked.append(asked)
            if (mode := self.mode_of(asked)) in self.lacks:
                return self.refusal(*self.lacks[mode])
            for turn in self.turns:
                if turn.meant.fits(asked):
                    self.turns.remove(turn)
                    return turn.answer(asked.body) if callable(turn.answer) else turn.answer
            self.unanswered.append(asked)
        return self.refusal(400, "nobody told the fake what to say")

    def mode_of(self, asked: Asked) -> str:
        """How a request wants its reply to be JSON: ``json_schema``, ``json_object`` or ``text``."""
        return "text"

    def refusal(self, status: int, message: str) -> Answer:
        """A refusal as the protocol has it."""
        raise NotImplementedError

    def send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        self.stop.wait(answer.wait)
        handler.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for index, piece in enumerate(answer.pieces):
            if isinstance(piece, threading.Event):
                while not piece.wait(0.02) and not self.stop.is_set():
                    pass
                continue
            data = piece.encode()
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()
            self.stop.wait(answer.pause)
            if index == answer.hold and answer.go_on is not None and not answer.go_on.wait(15):
                handler.close_connection = True
                return
        if not answer.cut:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = answer.cut

    def close(self) -> None:
        """Shut down; the second time nothing happens."""
        if not self.stop.is_set():
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
