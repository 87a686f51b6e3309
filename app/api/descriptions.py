"""What the OpenAPI document says of errors, so that no route writes it out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from app.api.problems import MEDIA_TYPE

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
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

_ALWAYS: Final = (400, 401, 403, 421, 429, 503)
"""What every route may answer."""


def problems(*statuses: int) -> dict[int, Any]:
    """The errors of a route, for ``doc(responses=…)``; those that every route has included."""
    return {status: _described(status) for status in sorted({*_ALWAYS, *statuses})}


def tagged(*statuses: int) -> dict[int, Any]:
    """As :func:`problems`, for what has an ETag."""
    return {304: {"description": "It is as `If-None-Match` says."}, **problems(*statuses)}


def _described(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
