"""Durable files: written aside, synced, renamed; a kill at any moment leaves the old file or the new one."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from app.errors import StorageError

# git itself clears files of this prefix from objects/pack when it prunes.
TEMPORARY_PREFIX = "tmp_stackvm_"

_HINTS = {
    errno.ENOSPC: "free some space on the disk; nothing half-written counts",
    errno.EDQUOT: "free some space within the quota; nothing half-written counts",
    errno.EROFS: "mount it writable, or set VAR_DIR to another folder",
    errno.EACCES: "give this user the right to write there, or set VAR_DIR to another folder",
    errno.EPERM: "give this user the right to write there, or set VAR_DIR to another folder",
}

_STALE_SECONDS = 3600.0

_serial = count()


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an ``OSError`` into a ``StorageError`` of one line that begins with ``doing``."""
    try:
        yield
    except OSError as error:
        message = f"can't {doing}: {error.strerror or error}"
        raise StorageError(message, hint=_HINTS.get(error.errno or 0)) from error


def temporary_path(folder: Path) -> Path:
    """A path in ``folder`` that nobody else uses, for what is renamed when it is complete."""
    return folder / f"{TEMPORARY_PREFIX}{os.getpid()}_{next(_serial)}"


def is_stale(path: Path) -> bool:
    """Whether a temporary file is so old that nobody can be writing it any more."""
    try:
        return path.stat().st_mtime < time.time() - _STALE_SECONDS
    except FileNotFoundError:
        return False


def write_aside(folder: Path, data: bytes, mode: int = 0o644) -> Path:
    """Write ``data`` durably to a new temporary file in ``folder``, ready to be renamed."""
    path = temporary_path(folder)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        _write_all(handle, data)
        os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(handle)
    return path


def replace_durably(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: afterwards it is there for good, or nothing has changed."""
    aside = write_aside(path.parent, data)
    try:
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` alone, between threads and processes; the kernel frees it when we die."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def shared_lock(path: Path, *, alone: bool) -> Iterator[None]:
    """Hold the lock file ``path`` together with others, or alone; as :func:`held_lock` otherwise."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
