"""Which worker processes of this machine live: each holds a lock on a file, which the kernel drops at its death.

Process ids would lie: they are given again. A worker whose file is not here is on another machine or has another
``VAR_DIR``, and nothing is known of it but its leases.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import WeakSet

_SUFFIX: Final = ".lock"
_FORGOTTEN_SECONDS: Final = 86_400.0
"""Files of dead workers are removed after the longest lease there may be."""

_HELD: Final[WeakSet[FilePresence]] = WeakSet()


class FilePresence:
    """A :class:`app.db.base.Presence`. ``worker`` is ``person@host:pid``; all on a machine share ``folder``."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._host = _host(worker)
        self._token = secrets.token_hex(6)
        self.owner = f"{worker}/{self._token}"
        """How this process signs; it may add ``/`` and a number, to tell its leases apart."""
        self._handle: int | None = None
        self._leaves_trace = False
        self._lock = Lock()

    def show(self) -> None:
        """From here on until it ends, this process is seen to live. Where no file can be made, only leases tell."""
        with self._lock:
            if self._handle is None:
                with suppress(OSError):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    self._remove_forgotten()
                    self._handle = _open_locked(self._path(self._token))
                    _HELD.add(self)

    def is_dead(self, owner: str) -> bool:
        """Whether the process that signed so has surely ended. ``False`` where nobody knows."""
        worker, _, rest = owner.partition("/")
        token = rest.partition("/")[0]
        if not token.isalnum() or _host(worker) != self._host:  # another machine's locks may not be seen here
            return False
        # The file stays: who asked may be killed before the lease is theirs, and then another one has to see it.
        return _is_abandoned(self._path(token))

    def leave_trace(self) -> None:
        """A lease could not be given back: that we have ended is to be seen."""
        self._leaves_trace = True

    def close(self) -> None:
        """This process holds no lease any more."""
        with self._lock:
            if self._handle is not None:
                if not self._leaves_trace:
                    with suppress(OSError):
                        self._path(self._token).unlink()
                os.close(self._handle)
                self._handle = None

    def _path(self, token: str) -> Path:
        return self._folder / f"{token}{_SUFFIX}"

    def _remove_forgotten(self) -> None:
        for path in self._forgotten():
            if _is_abandoned(path):
                path.unlink(missing_ok=True)

    def _forgotten(self) -> Iterator[Path]:
        before = time.time() - _FORGOTTEN_SECONDS
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield path

    def let_go(self) -> None:
        """Forget the lock, in a child that was forked: it shares it, and would keep it beyond our death."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _host(worker: str) -> str:
    """Of ``person@host:pid``."""
    return worker.rpartition(":")[0].rpartition("@")[2]


def _let_go_of_all() -> None:
    for presence in list(_HELD):
        presence.let_go()


os.register_at_fork(after_in_child=_let_go_of_all)


def _open_locked(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_abandoned(path: Path) -> bool:
    """Whether the file is there and nobody holds its lock."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
