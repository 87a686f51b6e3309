"""The folder ``vars/`` of many commits: what changed between two, and where one variable lies.

Equal parts have equal ids, so only what differs is looked into: of a folder that fans out, the one branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha1
from typing import Final

from app.history.names import escape_name, mask_capitals
from app.history.snapshots import SnapshotReader
from app.history.trees import Entry
from app.history.values import FAN_OUT_NAMES

_TREES: Final = 512
_FOLDERS: Final = 64


class VariableTrees:
    """Reads the folders of one store. A folder is named by its tree's id, ``None`` where there is none."""

    def __init__(self, reader: SnapshotReader) -> None:
        self.read_tree = lru_cache(_TREES)(reader.read_tree)
        self._children = lru_cache(_TREES)(self._read_children)
        self._folder = lru_cache(_FOLDERS)(lambda oid: dict(reader.folder(oid)))

    def changes(self, old: bytes | None, new: bytes | None) -> Iterator[str]:
        """The variables that are not the same in both, in no particular order."""
        if old == new:
            return
        before = self._children(old) if old is not None else None
        after = self._children(new) if new is not None else None
        if before is not None and after is not None:
            for name in before.keys() | after.keys():
                yield from self.changes(before.get(name), after.get(name))
            return
        was = self._folder(old) if old is not None else {}
        is_now = self._folder(new) if new is not None else {}
        for name in was.keys() | is_now.keys():
            # By id, not by file name: that of `Name` changes when `name` comes to stand beside it.
            if not _same(was.get(name), is_now.get(name)):
                yield name

    def _read_children(self, folder: bytes) -> dict[str, bytes] | None:
        """The parts of a folder that fans out; ``None`` where it doesn't."""
        entries = self.read_tree(folder)
        return {entry.name: entry.oid for entry in entries} if fans_out(entries) else None


class WatchedVariable:
    """One variable, looked up in one folder after the other; quick where they are much alike."""

    def __init__(self, trees: VariableTrees, name: str) -> None:
        self.name = name
        self._read_tree = trees.read_tree
        self._digits = sha1(name.encode(), usedforsecurity=False).hexdigest()
        stems = {escape_name(name), mask_capitals(name)}
        self._files = {stem + suffix for stem in stems for suffix in (".json", ".d")}
        self._path: list[bytes] = []
        self._entry: Entry | None = None

    def find(self, folder: bytes | None) -> Entry | None:
        """Its entry in the folder, ``None`` where it is not set."""
        path: list[bytes] = []
        oid = folder
        while oid is not None and len(path) < len(self._digits):
            depth = len(path)
            if self._path[depth : depth + 1] == [oid]:
                # From here on all is as it was at the last look.
                self._path = path + self._path[depth:]
                return self._entry
            path.append(oid)
            entries = self._read_tree(oid)
            if not fans_out(entries):
                self._entry = next((entry for entry in entries if entry.name in self._files), None)
                break
            child = f"_{self._digits[depth]}"
            oid = next((entry.oid for entry in entries if entry.name == child), None)
        else:
            self._entry = None
        self._path = path
        return self._entry


def fans_out(entries: list[Entry]) -> bool:
    """Whether a folder has parts instead of variables."""
    return bool(entries) and entries[0].name in FAN_OUT_NAMES


def _same(old: Entry | None, new: Entry | None) -> bool:
    return old is not None and new is not None and old.oid == new.oid
