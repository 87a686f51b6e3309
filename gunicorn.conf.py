"""How gunicorn serves StackVM: `gunicorn 'app:create_app()'` reads this file by itself."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from typing import Any

# The workers count requests in files of one folder, so that /metrics knows the sum whichever answers.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_made: list[tuple[int, str]] = []
if _FOLDER not in os.environ:
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="stackvm-metrics-")
    _made.append((os.getpid(), os.environ[_FOLDER]))

# Behind it: what counts looks for the folder when it is loaded.
from gunicorn.glogging import Logger  # noqa: E402
from prometheus_client import multiprocess  # noqa: E402

from app.config import load_settings  # noqa: E402
from app.errors import StackVMError  # noqa: E402
from app.observability.logs import is_pretty, set_up_logs  # noqa: E402
from app.server import refuse_open_bind  # noqa: E402

worker_class = "gthread"
workers = 2
threads = 64
bind = "127.0.0.1:8080"
timeout = 60
graceful_timeout = 30
keepalive = 30
limit_request_line = 8190
control_socket_disable = True
try:
    _settings = load_settings()
except StackVMError as error:
    sys.exit(f"error: {error}")


class _Lines(Logger):
    """Gunicorn's lines look like all others. Requests have lines of our own; `--access-logfile` adds gunicorn's."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        set_up_logs(_settings.log_format, _settings.log_level)


logger_class = _Lines


def on_starting(server: Any) -> None:
    """Nobody but this machine is answered without keys."""
    reason = refuse_open_bind(server.cfg.settings["bind"].get())
    if reason is not None:
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(2)


def when_ready(server: Any) -> None:
    """Say where it is."""
    for listener in server.LISTENERS:
        if is_pretty(_settings.log_format):
            print(f"StackVM answers at {listener}", file=sys.stderr)
        else:
            server.log.info("StackVM answers at %s", listener, extra={"event": "server.ready"})


# Every open event stream is a file to the process; the soft limit is often 1,024.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, min(_hard, 8192)) if _hard >= 0 else 8192, _hard))


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
