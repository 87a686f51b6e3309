"""Brokers to test on: a host of its own in this machine's RabbitMQ, and servers of a test's own, which it may stop.

What is not installed, or does not answer, skips the test; where ``CI`` is set the test fails.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from kombu import Connection
from served import free_port

KINDS = ["rabbitmq", "redis"]
START_SECONDS = 60.0
_RABBITMQ = os.environ.get("TEST_RABBITMQ_SERVER", "amqp://guest:guest@127.0.0.1:5672")


@contextmanager
def new_broker(kind: str) -> Iterator[str]:
    """The URL of an empty one, which is gone after the block."""
    if kind == "redis":
        with private_broker("redis") as redis:
            yield redis.url
        return
    name = f"stackvm-test-{os.getpid()}-{secrets.token_hex(4)}"
    _rabbitmqctl("add_vhost", name)
    try:
        _rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield f"{_RABBITMQ}/{name}"
    finally:
        _rabbitmqctl("delete_vhost", name)


@cache
def shared_broker(kind: str) -> str:
    """This process's one; :func:`empty` it."""
    until_exit = ExitStack()
    url = until_exit.enter_context(new_broker(kind))
    atexit.register(until_exit.close)
    return url


def purge(url: str, *queues: str) -> int:
    """Take all messages away; gives how many there were."""
    with Connection(url) as connection:
        if url.startswith("redis"):
            client = connection.default_channel.client
            count = sum(client.llen(key) for key in client.keys("stackvm*"))
            client.flushdb()
            return int(count)
        purged = 0
        for queue in queues or ("stackvm",):
            with connection.channel() as channel:
                try:
                    purged += channel.queue_purge(queue)
                except connection.channel_errors:
                    continue  # there is no such queue yet
        return purged


class PrivateBroker:
    """One server."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder, self.port = kind, folder, free_port()
        user = "guest:guest@" if kind == "rabbitmq" else ""
        self.url = f"{'amqp' if kind == 'rabbitmq' else 'redis'}://{user}127.0.0.1:{self.port}/" + (
            "" if kind == "rabbitmq" else "0"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self._environment()},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline and self._process.poll() is None, self.log
            time.sleep(0.1)

    def stop(self) -> None:
        """End it: RabbitMQ keeps what is to be kept, Redis forgets."""
        process, self._process = self._process, None
        if process is not None:
            with_all = signal.SIGTERM if self.kind == "redis" else signal.SIGKILL
            os.killpg(process.pid, with_all)
            process.wait(START_SECONDS)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()[-3000:]

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=0)
        except Exception:  # noqa: BLE001 - of many kinds while it starts
            return False
        return True

    def _command(self) -> list[str]:
        if self.kind == "redis":
            return [_program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        return [_program("rabbitmq-server")]

    def _environment(self) -> dict[str, str]:
        if self.kind == "redis":
            return {}
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }


@contextmanager
def private_broker(kind: str) -> Iterator[PrivateBroker]:
    """A server of one's own, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="stackvm-", ignore_cleanup_errors=True) as folder:
        broker = PrivateBroker(kind, Path(folder))
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()


def _rabbitmqctl(*arguments: str) -> None:
    done = subprocess.run(
        [_program("rabbitmqctl"), "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        _missing(f"rabbitmqctl {arguments[0]}: {done.stderr or done.stdout}")


def _program(name: str) -> str:
    # What Debian has in /usr/sbin changes to a user of its own first; this is what it starts then.
    folders = ["/usr/lib/rabbitmq/bin"] if name == "rabbitmq-server" else []
    path = os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        _missing(f"{name} is not installed")
    return found


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        raise AssertionError(what)
    pytest.skip(what)
