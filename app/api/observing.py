"""What is noted of every request: its id, its line, its figures, its span.

A client's ``X-Request-ID`` is taken over where it is a plain word, else one is made; it is in the answer, and in
every line of the request. A ``traceparent`` goes on: to the span of the request, and to the run that it asks for.
"""

from __future__ import annotations

import logging
import re
import secrets
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, g, request

from app.log_fields import bound, tell
from app.observability.metrics import HTTP_REQUESTS, HTTP_SECONDS

if TYPE_CHECKING:
    from app.observability.tracing import RequestSpan, Tracing

ID_HEADER: Final = "X-Request-ID"

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,127}")
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PROBES: Final = ("/healthz", "/readyz", "/metrics")

logger = logging.getLogger(__name__)


def register(app: Flask, tracing: Tracing | None) -> None:
    """Note the requests of ``app``."""

    @app.before_request
    def begin() -> None:
        g.request_began = perf_counter()
        g.request_id = _request_id()
        g.observing = ExitStack()
        trace = _traceparent()
        if tracing is not None:
            span = g.request_span = tracing.begin_request(_method(), request.path, request.scheme, trace)
            trace = span.traceparent
        g.observing.enter_context(bound(trace=trace, request_id=g.request_id))

    @app.after_request
    def note(response: Response) -> Response:
        began = g.get("request_began")
        if began is None:  # refused before it was a request
            return response
        response.headers[ID_HEADER] = g.request_id
        _note(response, perf_counter() - began, g.get("request_span"))
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        observing = g.pop("observing", None)
        if observing is not None:
            observing.close()


def _note(response: Response, seconds: float, span: RequestSpan | None) -> None:
    # The rule, not the path: ids would make a series each.
    rule = request.url_rule.rule if request.url_rule is not None else None
    method, route, status = _method(), rule or "none", response.status_code
    HTTP_REQUESTS.labels(method, route, str(status)).inc()
    HTTP_SECONDS.labels(method, route).observe(seconds)
    if span is not None:
        span.end(rule, status)
    level = logging.DEBUG if request.path in _PROBES else logging.INFO
    tell(
        logger,
        logging.WARNING if status >= 500 else level,
        "request.done",
        method=request.method,
        route=route,
        status=status,
        seconds=round(seconds, 4),
        actor=getattr(g.get("actor"), "name", None),
        **{
            name: value
            for name, value in (request.view_args or {}).items()
            if name in ("task_id", "namespace")
        },
    )


def _request_id() -> str:
    given = request.headers.get(ID_HEADER, "")
    return given if _ID.fullmatch(given) else secrets.token_hex(16)


def _traceparent() -> str | None:
    given = request.headers.get("traceparent", "").strip().lower()
    return given if _TRACEPARENT.fullmatch(given) else None


def _method() -> str:
    return request.method if request.method in _METHODS else "other"
