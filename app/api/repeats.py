"""``Idempotency-Key``: a POST that is sent again gets the answer of the first, and does nothing.

Keys are kept for a day, apart for each actor. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from flask import Flask, Response, g, request

from app.api.problems import Problem
from app.api.state import server

HEADER: Final = "Idempotency-Key"
_MOST_CHARACTERS: Final = 200
_MOST_BYTES: Final = 1 << 20
"""Of an answer that is kept."""
_KEPT_HEADERS: Final = ("Content-Type", "Location", "ETag")


def register(app: Flask) -> None:
    """Look at every POST that has a key. To be registered behind the guard."""

    @app.before_request
    def find_earlier() -> Response | None:
        g.idempotency_key = None
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None or not hasattr(g, "actor"):
            return None
        if not 0 < len(key) <= _MOST_CHARACTERS or not key.isprintable():
            raise Problem(422, "invalid-input", f"{HEADER} has 1 to {_MOST_CHARACTERS} printable characters")
        parts = server()
        earlier = parts.requests.begin(g.actor.name, key, _fingerprint(), parts.workplace.clock_ms())
        if earlier is None:
            g.idempotency_key = key
            return None
        if earlier.fingerprint != _fingerprint():
            raise Problem(422, "idempotency-key-reused", f"this {HEADER} was used with another request")
        if earlier.status is None:
            raise Problem(
                409, "request-under-way", "the first request with this key is under way", "ask again soon"
            )
        response = Response(earlier.body, earlier.status, headers=dict(earlier.headers))
        response.headers["Idempotent-Replayed"] = "true"
        return response

    @app.after_request
    def keep(response: Response) -> Response:
        key = getattr(g, "idempotency_key", None)
        if key is None:
            return response
        requests, actor = server().requests, g.actor.name
        if response.status_code >= 500 or response.status_code == 429 or response.is_streamed:
            requests.forget(actor, key)
            return response
        body = response.get_data(as_text=True)
        if len(body) > _MOST_BYTES:
            requests.forget(actor, key)
            return response
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        requests.end(actor, key, response.status_code, body, headers)
        return response


def _fingerprint() -> str:
    digest = sha256(f"{request.method} {request.full_path}\n".encode())
    digest.update(request.get_data(cache=True))
    return digest.hexdigest()
