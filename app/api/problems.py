"""Errors as problem details (RFC 9457): a status, a stable code, one line, and what would be right.

``type`` is ``urn:stackvm:problem:CODE``. Nowhere else is a status written down for an error.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from apiflask.exceptions import HTTPError
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from app.errors import (
    Ambiguous,
    BaseMoved,
    BranchMoved,
    Busy,
    ConfigurationError,
    Conflict,
    Forbidden,
    InputError,
    InvalidName,
    InvalidValue,
    LeaseHeld,
    ModelError,
    NoModelHere,
    NotFound,
    PlanRejected,
    StackVMError,
    StorageError,
)
from app.log_fields import tell

_BY_ERROR: Final[tuple[tuple[type[StackVMError], int, str], ...]] = (
    (NotFound, 404, "not-found"),
    (Ambiguous, 409, "ambiguous"),
    (Forbidden, 403, "forbidden"),
    (Busy, 429, "busy"),
    (BaseMoved, 409, "base-moved"),
    (Conflict, 409, "conflict"),
    (InvalidName, 422, "invalid-name"),
    (InvalidValue, 422, "invalid-value"),
    (InputError, 422, "invalid-input"),
    (PlanRejected, 422, "plan-rejected"),
    (LeaseHeld, 409, "branch-is-run"),
    (BranchMoved, 409, "branch-moved"),
    (ModelError, 502, "model-error"),
    (NoModelHere, 422, "not-configured"),
    (ConfigurationError, 503, "not-configured"),
    (StorageError, 503, "storage-error"),
)
"""The first class that fits decides."""

_BY_STATUS: Final = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "timeout",
    411: "length-required",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    421: "wrong-host",
    422: "invalid-input",
    428: "precondition-required",
    429: "too-many-requests",
    431: "headers-too-large",
}
_TITLE: Final = 1_000
_OF_THE_BODY: Final = ("Content-Type", "Content-Length")
MEDIA_TYPE: Final = "application/problem+json"

logger = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is an error of the door itself: raised by routes and guards."""

    def __init__(self, status: int, code: str, title: str, hint: str | None = None, **more: Any) -> None:
        super().__init__(title)
        self.status, self.code, self.title, self.hint = status, code, title, hint
        self.headers: dict[str, str] = {}
        self.more = more


def problem(
    status: int,
    code: str,
    title: str,
    hint: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """The response of an error."""
    body: dict[str, Any] = {
        "type": f"urn:stackvm:problem:{code}",
        "title": title if len(title) <= _TITLE else f"{title[:_TITLE]}…",  # it may name what was sent
        "status": status,
        "code": code,
    }
    if hint is not None:
        body["detail"] = hint
    response = Response(json.dumps({**body, **more}), status, mimetype=MEDIA_TYPE)
    response.headers.extend(headers or {})
    return response


def of_error(error: StackVMError) -> Response:
    """The response of an error that a service raised."""
    status, code = next(((s, c) for kind, s, c in _BY_ERROR if isinstance(error, kind)), (500, "internal"))
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, PlanRejected):
        more["findings"] = [finding.to_json() for finding in error.findings]
    if isinstance(error, Busy):
        headers["Retry-After"] = str(round(error.retry_after))
    if status >= 500:
        tell(logger, logging.WARNING, "request.failed", str(error), code=code)
    return problem(status, code, error.message, error.hint, headers, **more)


def register(app: Flask) -> None:
    """Have every error of ``app`` end here."""

    @app.errorhandler(StackVMError)
    def stackvm_error(error: StackVMError) -> Response:
        return of_error(error)

    @app.errorhandler(Problem)
    def own_problem(error: Problem) -> Response:
        return problem(error.status, error.code, error.title, error.hint, error.headers, **error.more)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        headers = dict(error.get_headers())
        for name in _OF_THE_BODY:
            headers.pop(name, None)
        return problem(status, _BY_STATUS.get(status, "error"), error.name, error.description, headers)

    @app.errorhandler(RecursionError)
    def too_deep(error: RecursionError) -> Response:
        return problem(
            400, "bad-request", "what was sent is nested too deeply", "a few hundred levels are enough"
        )

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        logger.error("a fault of ours", exc_info=error, extra={"event": "request.fault"})
        return problem(500, "internal", "a fault of ours", "it was logged; nothing is known to be half-done")


def validation_problem(error: HTTPError) -> tuple[dict[str, Any], int, dict[str, str]]:
    """What APIFlask says of a request that doesn't fit, as a problem with a list of places."""
    status = error.status_code
    code = "invalid-input" if status == 422 else _BY_STATUS.get(status, "error")
    problems = [
        {"where": place, "field": str(field), "message": str(message)}
        for place, fields in (error.detail or {}).items()
        if isinstance(fields, dict)
        for field, messages in fields.items()
        for message in (messages if isinstance(messages, list) else [messages])
    ]
    title = "the request doesn't fit" if problems else str(error.message)
    body: dict[str, Any] = {
        "type": f"urn:stackvm:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "problems": problems,
    }
    given = dict(error.headers or {}).items()
    kept = {name: str(value) for name, value in given if name not in _OF_THE_BODY}
    return body, status, {**kept, "Content-Type": MEDIA_TYPE}
