"""How much a client may ask: requests a minute by key, and from which origins a browser may."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from flask_cors import CORS
from flask_limiter import Limiter, RequestLimit

from app.api.guard import PAGES
from app.api.problems import problem
from app.api.state import Server
from app.services.access import LOCAL


def register(app: Flask, server: Server) -> None:
    """To be registered behind the guard: it counts by actor."""
    settings = server.settings
    origins = [origin.strip() for origin in settings.backend_cors_origins.split(",") if origin.strip()]
    if origins:
        CORS(
            app,
            resources={r"/api/.*": {"origins": origins}},
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-None-Match",
                "Last-Event-ID",
                "X-Request-ID",
                "traceparent",
            ],
            expose_headers=["ETag", "Location", "Retry-After", "Idempotent-Replayed", "X-Request-ID"],
            max_age=600,
        )
    if settings.rate_limit:
        Limiter(
            _who,
            app=app,
            application_limits=[settings.rate_limit],
            application_limits_exempt_when=_is_exempt,
            storage_uri="memory://",  # by process: it keeps a client from flooding one, no more
            headers_enabled=False,
            on_breach=_refuse,
        )


def _who() -> str:
    actor = getattr(g, "actor", None)
    return request.remote_addr or "" if actor is None else f"actor {actor.name}"


def _is_exempt() -> bool:
    if request.blueprint == PAGES:  # files, many for one look
        return True
    return getattr(g, "actor", None) is LOCAL or request.path in ("/healthz", "/readyz", "/metrics")


def _refuse(limit: RequestLimit) -> Response:
    seconds = max(1, int(limit.reset_at - time.time()))
    return problem(
        429,
        "too-many-requests",
        "too many requests",
        f"at most {limit.limit}",
        {"Retry-After": str(seconds)},
    )
