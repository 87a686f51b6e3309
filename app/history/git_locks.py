"""The locks of the stock git client: it moves a ref only while it holds ``<ref>.lock``, and so do we."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import StorageError

_OURS = "stackvm"
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.005


@contextmanager
def git_lock(path: Path) -> Iterator[None]:
    """Hold git's lock of the file ``path``. The caller holds the repository's own lock.

    A symbolic link is made in one call and says whose it is. One of ours can only be left over from a process
    that was killed, as nobody else has the repository's lock: it is removed. Git's own are waited for.
    Raises ``StorageError`` where git does not let go.
    """
    lock = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _taken(lock):
        if time.monotonic() > deadline:
            raise StorageError(f"git holds {lock}", hint="if no git is running, remove that file")
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _taken(lock: Path) -> bool:
    if _is_ours(lock):
        lock.unlink(missing_ok=True)
    with suppress(FileExistsError):
        lock.symlink_to(_OURS)
        return True
    return False


def _is_ours(lock: Path) -> bool:
    try:
        return lock.readlink() == Path(_OURS)
    except OSError:
        return False
