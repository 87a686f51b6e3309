"""How gunicorn serves StackVM: `gunicorn 'app:create_app()'` reads this file by itself."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from typing import Any

worker_class = "gthread"
workers = 2
threads = 64
bind = "127.0.0.1:8080"
timeout = 60
graceful_timeout = 30
keepalive = 30

# Every open event stream is a file to the process; the soft limit is often 1,024.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, min(_hard, 8192)) if _hard >= 0 else 8192, _hard))

# The workers count requests in files of one folder, so that /metrics knows the sum whichever answers.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_made: list[tuple[int, str]] = []
if _FOLDER not in os.environ:
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="stackvm-metrics-")
    _made.append((os.getpid(), os.environ[_FOLDER]))

from prometheus_client import multiprocess  # noqa: E402 - it looks for the folder when it is loaded


def child_exit(server: Any, worker: Any) -> None:
    """What a dead worker had open is open no more; what it counted still counts."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """The counts of this server go with it."""
    for pid, folder in _made:
        if pid == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)


def worker_exit(server: Any, worker: Any) -> None:
    """The runs of a worker that leaves are paused at their next step and given back."""
    close = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("stackvm.close")
    if close is not None:
        close()
