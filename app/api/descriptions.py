"""What the OpenAPI document says of errors, so that no route writes it out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from app.api.problems import MEDIA_TYPE

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "urn:stackvm:problem: and the code"},
        "title": {"type": "string", "description": "what is wrong, in one line"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stays the same from version to version"},
        "detail": {"type": "string", "description": "what would be right"},
        "problems": {"type": "array", "items": {"type": "object"}},
        "findings": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status", "code"],
}

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
"""One for all, so that a generated client has one class for it."""

_ALWAYS: Final = (400, 401, 403, 421, 429, 503)
"""What every route may answer."""


_TOO_LONG: Final[dict[int, Any]] = {
    414: {"description": "The address is too long: said before it is read.", "content": {"text/html": {}}}
}


def problems(*statuses: int) -> dict[int, Any]:
    """The errors of a route, for ``doc(responses=…)``; those that every route has included."""
    return _TOO_LONG | {status: _described(status) for status in sorted({*_ALWAYS, *statuses})}


def event_stream(description: str) -> dict[int, Any]:
    """The good answer of a route that streams: the schema is that of each event."""
    text = {"type": "string"}
    event = {"type": "object", "properties": {"id": text, "event": text, "data": text}}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": event}}}}


def tagged(*statuses: int) -> dict[int, Any]:
    """As :func:`problems`, for what has an ETag."""
    return {304: {"description": "It is as `If-None-Match` says."}, **problems(*statuses)}


def _described(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
