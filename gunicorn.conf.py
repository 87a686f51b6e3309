"""How gunicorn serves StackVM: `gunicorn 'app:create_app()'` reads this file by itself."""

from __future__ import annotations

from typing import Any

worker_class = "gthread"
workers = 2
threads = 64
bind = "127.0.0.1:8080"
timeout = 60
graceful_timeout = 30
keepalive = 30


def worker_exit(server: Any, worker: Any) -> None:
    """The runs of a worker that leaves are paused at their next step and given back."""
    close = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("stackvm.close")
    if close is not None:
        close()
