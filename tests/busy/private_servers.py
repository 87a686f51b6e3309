"""Database servers of a test's own, which it may kill: data in a folder of their own, on a port of the loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databases import create_schema
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.db.engine import parse_url
from app.db.session import open_database

START_SECONDS = 40.0


class PrivateServer:
    """One server; ``url`` is that of an empty database in it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        scheme, user = ("mysql", "root") if kind == "mariadb" else ("postgresql", "postgres")
        self._admin = f"{scheme}://{user}@127.0.0.1:{self.port}/" + (
            "mysql" if kind == "mariadb" else "postgres"
        )
        self.url = f"{scheme}://{user}@127.0.0.1:{self.port}/stackvm"
        self._user = "postgres" if kind == "postgresql" and os.geteuid() == 0 else None
        self._make_data()

    def start(self) -> None:
        """Start, and wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            if self._process is None or self._process.poll() is not None:
                self._process = self._spawn(self._command())
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal, and wait until it is gone."""
        if self._process is not None:
            if self.kind == "postgresql" and number == signal.SIGTERM:
                number = signal.SIGINT  # at SIGTERM it would wait until all have left
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None

    def make_database(self) -> None:
        """The database with our tables."""
        self.execute("CREATE DATABASE stackvm")
        database = open_database(self.url)
        create_schema(database)
        database.close()

    def execute(self, statement: str) -> None:
        """One statement of the administrator's."""
        engine = create_engine(parse_url(self._admin), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except DBAPIError:
            return False
        return self._process is not None and self._process.poll() is None

    def _make_data(self) -> None:
        data = self.folder / "data"
        if self.kind == "mariadb":
            command = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}"]
            command += ["--auth-root-authentication-method=normal", "--skip-test-db", *_as_root()]
        else:
            if self._user is not None:
                shutil.chown(self.folder, self._user)
            command = [_program("initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        assert self._spawn(command).wait(120) == 0, (self.folder / "log").read_text()

    def _command(self) -> list[str]:
        data = self.folder / "data"
        if self.kind == "mariadb":
            return [
                *(_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={self.port}"),
                *("--bind-address=127.0.0.1", f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid"),
                *("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=1", *_as_root()),
            ]
        return [
            *(_program("postgres"), "-D", str(data), "-p", str(self.port), "-k", str(self.folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB"),
        ]

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd=self.folder)


@contextmanager
def private_server(kind: str) -> Iterator[PrivateServer]:
    """A server with our tables, gone after the block; skips where its programs are not installed."""
    # Sockets have short paths, so not below pytest's own folder.
    with tempfile.TemporaryDirectory(prefix="stackvm-", ignore_cleanup_errors=True) as folder:
        server = PrivateServer(kind, Path(folder))
        try:
            server.start()
            server.make_database()
            yield server
        finally:
            server.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _program(name: str) -> str:
    folders = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *folders]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
