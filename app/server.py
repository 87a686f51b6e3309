"""A server process: the HTTP application and the worker threads beside it."""

from __future__ import annotations

import atexit

from flask import Flask

from app.api.application import make_application
from app.api.hub import Hub
from app.api.metrics import note_streams
from app.api.state import Server
from app.bootstrap import open_server


def make_server() -> Flask:
    """Everything opened and running. Raises ``ConfigurationError``."""
    parts = open_server()
    hub = Hub(parts.feeds, on_count=note_streams)
    app = make_application(Server(parts.settings, parts.workplace, parts.jobs, parts.queue, hub))
    parts.workers.start()

    def close() -> None:
        hub.stop()
        parts.close()

    app.extensions["stackvm.close"] = close
    atexit.register(close)
    return app
