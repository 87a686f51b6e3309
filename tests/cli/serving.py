"""A server process on the folder of a command line, so that both see the same tasks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from command_line import PROJECT, CommandLine


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class ServerProcess:
    """``gunicorn`` with one worker; started, stopped and started again at the same address."""

    def __init__(self, cli: CommandLine, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder: Path = cli.folder
        self._environment = {**os.environ, "PYTHONPATH": str(PROJECT), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self._folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "app:create_app()", "--workers", "1"),
                *("--config", str(PROJECT / "gunicorn.conf.py"), "--bind", f"127.0.0.1:{self.port}"),
            ],
            cwd=self._folder,
            env=self._environment,
            stdout=log,
            stderr=log,
        )
        log.close()
        for _ in range(300):
            try:
                with urlopen(f"{self.url}/healthz", timeout=5):
                    return
            except (URLError, OSError):
                assert self._process.poll() is None, (self._folder / "server.log").read_text()
                time.sleep(0.1)
        raise AssertionError("the server did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None
