"""Files below one folder, and no way out of it.

A path is resolved, links and ``..`` included, and must then lie below the root. The resolved path is opened
name by name, following no link: what was checked is what is opened, whatever changes in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from app.errors import ConfigurationError

Parts: TypeAlias = tuple[str, ...]
"""A resolved place below the root, name by name; ``()`` is the root."""

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""Not through a link. Not waiting for a pipe's writer either: what it is gets looked at once it is open."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder: a folder, or a regular file of ``size`` bytes."""

    name: str
    is_folder: bool
    size: int


class Root:
    """The folder. Every error it raises is a plain ``OSError`` or ``ValueError`` with one clear line."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.realpath(folder))
        if not self._folder.is_dir():
            raise ConfigurationError(f"TOOLS_ROOT: no folder {folder}", hint="make it, or correct TOOLS_ROOT")

    def locate(self, path: str) -> Parts:
        """Where ``path`` leads, seen from the root. Raises ``PermissionError`` where that is outside."""
        if "\0" in path:
            raise ValueError(f"path {path!r} holds a null character")
        resolved = Path(os.path.realpath(self._folder / path))
        if not resolved.is_relative_to(self._folder):
            raise PermissionError(f"{path!r} is outside the folder that tools may see")
        return resolved.relative_to(self._folder).parts

    def entries(self, parts: Parts) -> list[Entry]:
        """The folders and regular files in a folder, by name. Links and devices are passed over."""
        with _told(parts), self._opened_folder(parts) as descriptor, os.scandir(descriptor) as found:
            entries = [entry for item in found if (entry := _entry(item)) is not None]
        return sorted(entries, key=lambda entry: entry.name)

    def read_text(self, parts: Parts) -> str:
        """The text of a file. Raises ``ValueError`` where it is not UTF-8, or longer than 8 MiB."""
        shown = show(parts)
        with _told(parts), self._opened(parts) as descriptor:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(f"{shown!r} is a folder, not a file")
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{shown!r} is not a regular file")
            with os.fdopen(os.dup(descriptor), "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ValueError(f"{shown!r} has {max(status.st_size, len(data)):,} bytes, the limit is 8 MiB")
        return _decoded(data, shown)

    @contextmanager
    def _opened_folder(self, parts: Parts) -> Iterator[int]:
        with self._opened(parts) as descriptor:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise NotADirectoryError(f"{show(parts)!r} is not a folder")
            yield descriptor

    @contextmanager
    def _opened(self, parts: Parts) -> Iterator[int]:
        descriptor = self._open(parts)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, parts: Parts) -> int:
        descriptor = os.open(self._folder, _OPEN)
        for name in parts:
            parent = descriptor
            try:
                descriptor = os.open(name, _OPEN, dir_fd=parent)
            finally:
                os.close(parent)
        return descriptor


def show(parts: Parts) -> str:
    """A place as text: relative to the root, with ``/``; names that are not UTF-8 with ``\\x`` escapes."""
    return os.fsencode("/".join(parts)).decode("utf-8", "backslashreplace") or "."


@contextmanager
def _told(parts: Parts) -> Iterator[None]:
    """The operating system's errors, in terms of the path below the root."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise  # ours
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise FileNotFoundError(f"there is no {show(parts)!r}") from error
        raise type(error)(f"{show(parts)!r} can't be read: {error.strerror}") from error


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        if item.is_dir(follow_symlinks=False):
            return Entry(item.name, True, 0)
        if item.is_file(follow_symlinks=False):
            return Entry(item.name, False, item.stat(follow_symlinks=False).st_size)
    except FileNotFoundError:
        return None  # removed while the folder was being read
    return None


def _decoded(data: bytes, shown: str) -> str:
    if b"\0" in data:
        raise ValueError(f"{shown!r} is not text: a null byte at {data.index(0)}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{shown!r} is not UTF-8 text: byte {data[error.start]:#04x} at {error.start}"
        ) from None
