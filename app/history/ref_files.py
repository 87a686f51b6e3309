"""The files git keeps refs in: one file a ref under ``refs/``, and ``packed-refs`` for those git packed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from app.errors import StorageError
from app.history.disk import replace_durably, sync_folder, write_aside

PACKED_REFS = "packed-refs"

_ID = re.compile(rb"[0-9a-f]{40}")
_SYMBOLIC = b"ref: "
_DEEPEST = 5


class RefFiles:
    """The ref files of the repository in ``folder``; ``scratch`` is a folder in it for temporary files."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch

    def all(self) -> dict[str, bytes]:
        """All refs under ``refs/``. Loose ones are read first: git packs a ref before it removes its file."""
        loose = {name: self.get(name) for name in self._loose_names()}
        found = self._packed()
        found.update({name: target for name, target in loose.items() if target is not None})
        return found

    def some(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those of ``names`` that exist."""
        return {name: target for name in names if (target := self.get(name)) is not None}

    def get(self, name: str) -> bytes | None:
        """Where the ref stands, symbolic refs followed, or ``None``."""
        for _ in range(_DEEPEST):
            content = self._loose(name)
            if content is None:
                return self._packed().get(name)
            if not content.startswith(_SYMBOLIC):
                return _parsed(name, content)
            name = os.fsdecode(content.removeprefix(_SYMBOLIC))
        raise StorageError(f"ref {name} is a circle of symbolic refs")

    def is_there(self, name: str) -> bool:
        """Whether there is such a ref, whatever it holds."""
        return self._loose(name) is not None or name in self._packed()

    def put(self, changed: Mapping[str, bytes | None]) -> None:
        """Write refs durably, deletions first. The caller holds all locks and has made room."""
        gone = {name for name, target in changed.items() if target is None}
        self._forget_packed(gone)
        for name in gone:
            path = self._folder / name
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        for name in changed.keys() - gone:
            self._set(name, changed[name] or b"")

    def make_room(self, name: str) -> None:
        """Make the folders a ref's file stands in, and clear away empty ones that have its name."""
        path = self._folder / name
        if path.is_dir():
            _remove_empty(path)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in path.parents[1 : name.count("/")]:
                sync_folder(folder)

    def _set(self, name: str, target: bytes) -> None:
        path = self._folder / name
        aside = write_aside(self._scratch, target.hex().encode() + b"\n")
        aside.replace(path)
        sync_folder(path.parent)

    def _loose(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes().rstrip()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def _loose_names(self) -> Iterator[str]:
        for folder, _, files in os.walk(self._folder / "refs"):
            below = Path(folder).relative_to(self._folder).as_posix()
            yield from (f"{below}/{file}" for file in files if not file.endswith(".lock"))

    def _packed(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for line in self._packed_lines():
            target, _, name = line.partition(b" ")
            if _ID.fullmatch(target):
                found[os.fsdecode(name)] = bytes.fromhex(target.decode())
        return found

    def _packed_lines(self) -> list[bytes]:
        try:
            return (self._folder / PACKED_REFS).read_bytes().splitlines()
        except FileNotFoundError:
            return []

    def _forget_packed(self, gone: set[str]) -> None:
        if not gone.intersection(self._packed()):
            return
        kept: list[bytes] = []
        dropping = False
        for line in self._packed_lines():
            # A line that begins with ^ belongs to the ref before it: what its tag stands for.
            if not line.startswith(b"^"):
                dropping = os.fsdecode(line.partition(b" ")[2]) in gone
            if not dropping:
                kept.append(line + b"\n")
        replace_durably(self._folder / PACKED_REFS, b"".join(kept))


def _parsed(name: str, content: bytes) -> bytes:
    if not _ID.fullmatch(content):
        raise StorageError(f"ref {name} holds no object id", hint="git fsck says more")
    return bytes.fromhex(content.decode())


def _remove_empty(folder: Path) -> None:
    """Remove a tree of empty folders; ``OSError`` where a file is in it."""
    for path, _, _ in os.walk(folder, topdown=False):
        Path(path).rmdir()
