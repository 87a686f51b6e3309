"""A TCP proxy between us and a database server which drops connections, also right after COMMIT was done."""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_COMMIT = re.compile(rb"\x03COMMIT\Z|COMMIT\0")
"""As MariaDB's driver says it, and PostgreSQL's; not the name of an isolation level."""


class DroppingProxy:
    """Listens on ``port``. ``drops`` counts what it did.

    ``answers`` is how many answers to COMMIT it is to swallow next; ``meanwhile`` is called when it does, before the
    connection is dropped. By chance, beside: ``before`` is how likely
    it drops a connection instead of forwarding what we say, ``after`` how likely it swallows the answer to COMMIT.
    """

    def __init__(self, host: str, port: int, seed: int = 0) -> None:
        self.before = self.after = 0.0
        self.answers = 0
        self.meanwhile: Callable[[], object] | None = None
        self.drops = {"before": 0, "after": 0}
        self.refuses = False
        self._server = (host, port)
        self._chance = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()

    def drop_all(self) -> None:
        """Drop every connection there is."""
        with self._lock:
            standing = list(self._open)
        for each in standing:
            _end(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.refuses:
                return
            with suppress(OSError), socket.create_connection(self._server) as server:
                pair = {client, server}
                with self._lock:
                    self._open |= pair
                state = _Pair()
                back = threading.Thread(target=self._back, args=(server, client, state), daemon=True)
                back.start()
                self._forth(client, server, state)
                _end(client)
                _end(server)
                back.join()
                with self._lock:
                    self._open -= pair

    def _forth(self, client: socket.socket, server: socket.socket, state: _Pair) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                commits = _COMMIT.search(data) is not None
                if commits and self._swallows():
                    state.swallow = True
                elif state.is_ready and self._chance.random() < self.before:
                    self.drops["before"] += 1
                    return
                state.is_ready = state.is_ready or commits
                server.sendall(data)

    def _back(self, server: socket.socket, client: socket.socket, state: _Pair) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if state.swallow:  # it is done there, and nobody hears of it
                    if self.meanwhile is not None:
                        self.meanwhile()
                    self.drops["after"] += 1
                    break
                client.sendall(data)
        _end(client)
        _end(server)

    def _swallows(self) -> bool:
        with self._lock:
            if self.answers:
                self.answers -= 1
                return True
            return self._chance.random() < self.after


class _Pair:
    swallow = False
    is_ready = False
    """Whether it was committed once: the first words, with password and settings, are not what is tried here."""


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
