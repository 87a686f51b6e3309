"""The response that is a stream: its head goes out like any other's, then the hub has the client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from flask import Response

from app.api.connections import ThreadConnection, response_head, take_socket
from app.api.hub import Hub
from app.api.streams import Stream
from app.db.feed import TaskRead

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_HEADERS = {
    "Cache-Control": "no-cache, no-store",
    "X-Accel-Buffering": "no",  # nginx would gather events
}


class StreamResponse(Response):
    """Says what ``stream`` says. Nobody waits for it: see :mod:`app.api.connections`."""

    automatically_set_content_length = False

    def __init__(
        self, hub: Hub, stream: Stream, seen: TaskRead | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, 200, {**_HEADERS, **(headers or {})}, mimetype="text/event-stream")
        self._hub, self._stream, self._seen = hub, stream, seen

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        taken = take_socket(environ)
        if taken is None:
            waiting = ThreadConnection()
            self._stream.connection = waiting
            self._hub.add(self._stream, self._seen)
            self.response = waiting.chunks()
            return super().__call__(environ, start_response)
        connection, remains = taken
        self._stream.connection = connection
        headers = self.get_wsgi_headers(environ).to_wsgi_list()
        connection.send(response_head(self.status, headers))
        self._hub.add(self._stream, self._seen)
        start_response(self.status, headers)  # for the server's log alone: its socket is a dead one
        return remains


def opened() -> float:
    """When a stream that is made now was opened."""
    return monotonic()
