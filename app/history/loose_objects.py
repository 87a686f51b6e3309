"""Loose objects: one compressed file each. The stock git client writes them; we only read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from app.history.pack_index import DamagedPack

_NUMBERS = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}


class LooseObjects:
    """The loose objects under an ``objects`` folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, oid: bytes) -> bool:
        """Whether there is such a file."""
        return self.path(oid).is_file()

    def read(self, oid: bytes) -> tuple[int, bytes] | None:
        """Kind and bytes, or ``None`` where there is no such file. Raises ``DamagedPack``."""
        try:
            packed = self.path(oid).read_bytes()
        except FileNotFoundError:
            return None
        try:
            header, _, data = zlib.decompress(packed).partition(b"\0")
            return _NUMBERS[header.split(b" ")[0]], data
        except (zlib.error, KeyError) as error:
            raise DamagedPack("is a loose file that can't be unpacked") from error

    def with_prefix(self, prefix: str) -> Iterator[bytes]:
        """The ids whose lower-case hex form begins with ``prefix``; all with an empty one."""
        for folder in self._folders(prefix[:2]):
            for path in _listing(folder):
                name = folder.name + path.name
                if len(name) == 40 and name.startswith(prefix):
                    yield bytes.fromhex(name)

    def _folders(self, first: str) -> Iterator[Path]:
        for folder in _listing(self._folder):
            if len(folder.name) == 2 and folder.name.startswith(first) and _is_hex(folder.name):
                yield folder

    def path(self, oid: bytes) -> Path:
        """Where the object's file is, or would be."""
        name = oid.hex()
        return self._folder / name[:2] / name[2:]


def _listing(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
