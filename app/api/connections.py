"""Where a stream goes out: a socket taken over from gunicorn, which no thread waits for, or a thread of the server's.

Gunicorn's threads are few, and a stream that held one would take it from everybody else. It hands each request its
socket: we keep a duplicate, and put a dead socket in its place, which gunicorn closes in its own time.
"""

from __future__ import annotations

import os
import queue
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

SOCKET_KEY: Final = "gunicorn.socket"
MAX_WAITING_BYTES: Final = 1 << 20
"""A client that lets more than this lie is cut off; it may come again with the id of the last event it had."""

_READ_AT_ONCE: Final = 4096


class Connection(Protocol):
    """One client. Used by one thread only, the hub's."""

    @property
    def waiting_bytes(self) -> int:
        """How much it has not taken yet."""

    @property
    def is_drained(self) -> bool:
        """Whether it may be closed with nothing lost."""

    def send(self, data: bytes) -> bool:
        """Pass it on or keep it for later. ``False``: it is gone, or can't keep up."""

    def close(self) -> None:
        """The end. May be called twice."""


class SocketConnection:
    """A socket that is never waited for. What it does not take at once, :meth:`flush` sends later."""

    def __init__(self, taken: socket.socket) -> None:
        taken.setblocking(False)
        self.socket = taken
        self._buffer = bytearray()

    @property
    def waiting_bytes(self) -> int:
        return len(self._buffer)

    @property
    def is_drained(self) -> bool:
        return not self._buffer

    def send(self, data: bytes) -> bool:
        self._buffer += data
        return self.flush() and len(self._buffer) <= MAX_WAITING_BYTES

    def flush(self) -> bool:
        """Send what can be sent. ``False``: the client is gone."""
        try:
            while self._buffer:
                sent = self.socket.send(self._buffer)
                del self._buffer[:sent]
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return True

    def is_gone(self) -> bool:
        """It became readable: clients of a stream say nothing more, so it is gone, or talks to no purpose."""
        try:
            return not self.socket.recv(_READ_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class ThreadConnection:
    """For servers that don't give their socket away: the thread of the request reads what the hub sends."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        self._gone = False

    @property
    def waiting_bytes(self) -> int:
        return self._waiting

    @property
    def is_drained(self) -> bool:
        return True  # the end is queued behind it

    def send(self, data: bytes) -> bool:
        self._waiting += len(data)
        self._queue.put(data)
        return not self._gone and self._waiting <= MAX_WAITING_BYTES

    def close(self) -> None:
        self._queue.put(None)

    def chunks(self) -> Iterator[bytes]:
        """For the thread of the request, until the stream ends or the server finds that the client is gone."""
        try:
            while (data := self._queue.get()) is not None:
                self._waiting -= len(data)
                yield data
        finally:
            self._gone = True


class _Remains:
    """The body that gunicorn sees: none. ``peer`` keeps the dead socket writable until gunicorn has written."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        self._peer.close()


def take_socket(environ: Mapping[str, Any]) -> tuple[SocketConnection, _Remains] | None:
    """The client's socket, ours from now on, and what to answer the server with; ``None`` where it can't be had."""
    given = environ.get(SOCKET_KEY)
    if not isinstance(given, socket.socket) or isinstance(given, ssl.SSLSocket):
        return None
    if environ.get("HTTP_VERSION") == "2":
        return None
    dead, peer = socket.socketpair()
    taken = given.dup()
    os.dup2(dead.fileno(), given.fileno(), inheritable=False)
    dead.close()
    return SocketConnection(taken), _Remains(peer)


def response_head(status: str, headers: list[tuple[str, str]]) -> bytes:
    """The head of a response whose body ends with the connection: of any length, and in no chunks."""
    lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
    lines += ["Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
