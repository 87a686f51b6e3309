"""How gunicorn serves StackVM: `gunicorn 'app:create_app()'` reads this file by itself."""

from __future__ import annotations

import sys
from typing import Any

from app.server import refuse_open_bind

worker_class = "gthread"
workers = 2
threads = 64
bind = "127.0.0.1:8080"
timeout = 60
graceful_timeout = 30
keepalive = 30
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Nobody but this machine is answered without keys."""
    reason = refuse_open_bind(server.cfg.settings["bind"].get())
    if reason is not None:
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(2)


def when_ready(server: Any) -> None:
    """Say where it is."""
    for listener in server.LISTENERS:
        print(f"StackVM answers at {listener}", file=sys.stderr)


def worker_exit(server: Any, worker: Any) -> None:
    """The runs of a worker that leaves are paused at their next step and given back."""
    close = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("stackvm.close")
    if close is not None:
        close()
