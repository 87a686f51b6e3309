"""History in bare git repositories on disk, one a task: what the stock git client reads and writes."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha1
from itertools import chain
from pathlib import Path

from app.crash_points import reached
from app.errors import Conflict, DamagedHistory, NotFound, StorageError
from app.history.base import Kind, RawObject, RefMove
from app.history.disk import (
    TEMPORARY_PREFIX,
    disk_errors,
    is_stale,
    sync_folder,
    temporary_path,
    write_aside,
)
from app.history.disk_refs import DiskRefs
from app.history.loose_objects import LooseObjects
from app.history.pack_folder import PackFolder
from app.history.pack_index import DamagedPack
from app.history.refnames import check_ref_name

# Each write leaves a pack; so many more than after the last merge, and they are merged again.
_PACKS_BEFORE_MERGE = 32
_OWN_FOLDER = "stackvm"
_HEADERS = {1: b"commit %d\0", 2: b"tree %d\0", 3: b"blob %d\0", 4: b"tag %d\0"}
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# Git must not tidy up by itself while a run writes, nor ever drop objects that no ref reaches yet.
_CONFIG = b"""[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
\tpruneExpire = never
[receive]
\tautogc = false
"""


class GitStore:
    """A :class:`app.history.base.Store` over the bare repository in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with disk_errors(f"open {folder}"):
            self._packs = PackFolder(folder / "objects" / "pack")
        self._loose = LooseObjects(folder / "objects")
        self._refs = DiskRefs(folder, folder / _OWN_FOLDER)
        self._merge_above = _PACKS_BEFORE_MERGE

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        for move in moves:
            check_ref_name(move.ref)
        with disk_errors(f"write to {self.folder}"):
            fresh = {item.oid: item for item in objects if self._packs.find(item.oid) is None}
            if fresh:
                self._merge_if_many()
                self._packs.add(fresh.values())
            reached("flush.written")
            if moves:
                self._refs.move(moves)

    def read(self, oid: bytes) -> RawObject:
        try:
            with disk_errors(f"read from {self.folder}"):
                kind, data = self._look_up(oid)
        except DamagedPack as error:
            raise DamagedHistory(oid.hex(), str(error)) from error
        header = _HEADERS[kind] % len(data)
        if sha1(header + data, usedforsecurity=False).digest() != oid:
            raise DamagedHistory(oid.hex(), "has other bytes than its id says")
        return RawObject(oid, kind, data)

    def read_many(self, oids: Iterable[bytes]) -> Iterator[RawObject]:
        return map(self.read, dict.fromkeys(oids))  # packs are open: nothing is won by asking for many

    def has(self, oid: bytes) -> bool:
        with disk_errors(f"read from {self.folder}"):
            if self._packs.find(oid) is not None or self._loose.has(oid):
                return True
            return self._packs.find_anew(oid) is not None

    def object_ids(self, kind: Kind | None = None) -> Iterator[bytes]:
        yield from (oid for oid in self._with_prefix("") if kind is None or self._kind(oid) == kind)

    def find_commits(self, prefix: str, limit: int = 5) -> list[bytes]:
        found = sorted(oid for oid in self._with_prefix(prefix.lower()) if self._kind(oid) == Kind.COMMIT)
        return found[:limit]

    def refs(self) -> dict[str, bytes]:
        with disk_errors(f"read the refs of {self.folder}"):
            return self._refs.all()

    def ref(self, name: str) -> bytes | None:
        with disk_errors(f"read the refs of {self.folder}"):
            return self._refs.get(name)

    def raise_fence(self, ref: str, fence: int) -> None:
        with disk_errors(f"write to {self.folder}"):
            self._refs.raise_fence(ref, fence)

    def stored_bytes(self) -> int:
        with disk_errors(f"read {self.folder}"):
            return sum(
                _size(Path(folder, name)) for folder, _, names in os.walk(self.folder) for name in names
            )

    def finish(self) -> None:
        with disk_errors(f"merge the packs of {self.folder}"), self._refs.locked():
            self._packs.merge()
            self._packs.clean()
            for left in (self.folder / _OWN_FOLDER).glob(f"{TEMPORARY_PREFIX}*"):
                left.unlink(missing_ok=True)

    def close(self) -> None:
        self._packs.close()

    def _look_up(self, oid: bytes) -> tuple[int, bytes]:
        found = self._packs.find(oid)
        if found is None:
            loose = self._loose.read(oid)
            if loose is not None:
                return loose
            found = self._packs.find_anew(oid)
        if found is None:
            damage = "; ".join(f"{name}: {what}" for name, what in self._packs.damage.items())
            raise DamagedPack(f"is missing ({damage})" if damage else "is missing")
        pack, offset = found
        return pack.read(offset)

    def _with_prefix(self, prefix: str) -> Iterator[bytes]:
        """The ids of all objects whose hex form begins so, each once."""
        with disk_errors(f"read {self.folder}"):
            self._packs.rescan()
            for name, what in self._packs.damage.items():
                raise StorageError(f"pack {name} of {self.folder} can't be read: {what}")
            found = [pack.index.with_prefix(prefix) for pack in self._packs.packs]
            yield from set(chain(*found, self._loose.with_prefix(prefix)))

    def _kind(self, oid: bytes) -> int:
        found = self._packs.find(oid)
        try:
            return self._look_up(oid)[0] if found is None else found[0].kind(found[1])
        except DamagedPack as error:
            raise DamagedHistory(oid.hex(), str(error)) from error

    def _merge_if_many(self) -> None:
        if len(self._packs.packs) > self._merge_above:
            with self._refs.locked():
                self._packs.merge()
            self._merge_above = len(self._packs.packs) + _PACKS_BEFORE_MERGE


class GitStoreFactory:
    """The repositories under ``folder``, each at ``<task_id>.git``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, task_id: str) -> GitStore:
        path = self.path(task_id)
        if path.exists():
            raise _exists(task_id)
        with disk_errors(f"create {path}"):
            aside = temporary_path(self._folder)
            try:
                _make_repository(aside)
                _rename_new(aside, path, task_id)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            sync_folder(self._folder)
        return GitStore(path)

    def open(self, task_id: str) -> GitStore:
        if not _TASK_ID.fullmatch(task_id) or not (self.path(task_id) / "HEAD").is_file():
            raise NotFound("history of task", task_id)
        return GitStore(self.path(task_id))

    def delete(self, task_id: str) -> None:
        path = self.path(task_id)
        aside = temporary_path(self._folder)
        with disk_errors(f"delete {path}"), suppress(FileNotFoundError):
            # By its name it is gone at once; nobody meets a repository that is half deleted.
            path.rename(aside)
            sync_folder(self._folder)
            shutil.rmtree(aside)
            for left in self._folder.glob(f"{TEMPORARY_PREFIX}*"):
                if is_stale(left):
                    shutil.rmtree(left, ignore_errors=True)

    def path(self, task_id: str) -> Path:
        """Where the task's repository is, or would be. Raises ``Conflict`` where the id is no name."""
        if not _TASK_ID.fullmatch(task_id):
            raise Conflict(f"not a task id: {task_id!r}", hint="letters, digits, '.', '_' and '-'")
        return self._folder / f"{task_id}.git"


def _make_repository(folder: Path) -> None:
    """A valid bare repository, durably, at a path where nothing is yet."""
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", _OWN_FOLDER):
        (folder / name).mkdir(parents=True)
    for name, content in (("HEAD", b"ref: refs/heads/main\n"), ("config", _CONFIG)):
        write_aside(folder, content).replace(folder / name)
    for name in ("objects", "refs", "."):
        sync_folder(folder / name)


def _rename_new(aside: Path, path: Path, task_id: str) -> None:
    try:
        aside.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _exists(task_id) from error
        raise


def _exists(task_id: str) -> Conflict:
    return Conflict(f"the history of task {task_id} exists already")


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
