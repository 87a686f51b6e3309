"""A server process: the HTTP application and the worker threads beside it."""

from __future__ import annotations

import atexit
from collections.abc import Iterable

from flask import Flask

from app.api.application import make_application
from app.api.guard import is_loopback
from app.api.hub import Hub
from app.api.state import Server
from app.bootstrap import open_server, workplace
from app.config import load_settings
from app.observability.logs import hide, set_up_logs
from app.observability.metrics import STREAMS
from app.observability.opening import observe_server
from app.web.pages import register as serve_viewer


def refuse_open_bind(addresses: Iterable[str]) -> str | None:
    """Why a server must not listen there: without keys it answers its own machine alone. ``None``: it may."""
    settings = load_settings()
    if settings.admin_api_key.get_secret_value():
        return None
    open_to_all = [each for each in addresses if not _is_local(each)]
    if not open_to_all:
        return None
    with workplace(settings) as place:
        if place.keys.any_valid(place.clock_ms()):
            return None
    return (
        f"there are no API keys, and {open_to_all[0]} can be reached from elsewhere: make one with"
        " `stackvm key create NAME --role admin`, set ADMIN_API_KEY, or bind to 127.0.0.1"
    )


def _is_local(address: str) -> bool:
    if address.startswith(("unix:", "fd://")):
        return True
    host = address.rsplit(":", 1)[0].strip("[]")
    return host == "localhost" or (host != "" and is_loopback(host))


def make_server() -> Flask:
    """Everything opened and running. Raises ``ConfigurationError``."""
    settings = load_settings()
    set_up_logs(settings.log_format, settings.log_level)
    observing = observe_server(settings)
    parts = open_server(settings, observing)
    hide(parts.workplace.secrets.masks)
    hub = Hub(parts.feeds, on_count=STREAMS.set)
    server = Server(
        parts.settings,
        parts.workplace,
        parts.jobs,
        parts.requests,
        parts.audit,
        parts.queue,
        hub,
        observing.tracing,
    )
    app = make_application(server)
    serve_viewer(app)
    parts.workers.start()

    def close() -> None:
        hub.stop()
        parts.close()

    app.extensions["stackvm.close"] = close
    atexit.register(close)
    return app
