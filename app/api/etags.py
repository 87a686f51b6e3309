"""ETags: what a client has already is not sent again, and what hangs on a commit never changes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from flask import Response, current_app, request

_SHAPE: Final = "1"
"""Raised when answers about the same things come to look otherwise."""
_YEAR: Final = 365 * 24 * 3600


def etag(*parts: Any) -> str:
    """A strong ETag of what an answer is made from, without quotes."""
    text = "\0".join(str(part) for part in (_SHAPE, *parts))
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def not_modified(tag: str, *, immutable: bool = False) -> Response | None:
    """The answer 304 where the client has it already, else ``None``."""
    if not request.if_none_match.contains(tag):
        return None
    response = Response(status=304)
    response.headers.extend(etag_headers(tag, immutable=immutable))
    return response


def etag_headers(tag: str, *, immutable: bool = False) -> dict[str, str]:
    """The headers of an answer with that ETag. ``immutable``: its address will always mean the same."""
    kept = f"private, max-age={_YEAR}, immutable" if immutable else "private, no-cache"
    return {"ETag": f'"{tag}"', "Cache-Control": kept}


def tagged_answer(document: Any, tag: str, *, immutable: bool = False) -> Response:
    """A document with its ETag. It is sent as it is: values of a history are no matter of any model's."""
    response = answer(document)
    response.headers.extend(etag_headers(tag, immutable=immutable))
    return response


def answer(document: Any, status: int = 200) -> Response:
    """A document as it is."""
    return Response(current_app.json.dumps(document), status, mimetype="application/json")
