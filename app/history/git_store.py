"""History in bare git repositories on disk, one a task: what the stock git client reads and writes."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from app.crash_points import reached
from app.errors import Conflict, DamagedHistory, NotFound, StorageError
from app.history.base import Collected, Damage, Kind, RawObject, RefMove
from app.history.disk import (
    TEMPORARY_PREFIX,
    disk_errors,
    is_stale,
    sync_folder,
    temporary_path,
    write_aside,
)
from app.history.disk_refs import DiskRefs
from app.history.git_collect import Collecting, collect_garbage
from app.history.git_damage import file_damage, loose_damage, pack_damage
from app.history.loose_objects import LooseObjects
from app.history.pack_folder import PackFolder
from app.history.pack_index import DamagedPack
from app.history.packs import object_bytes_id
from app.history.reachable import require_reachable
from app.history.refnames import check_ref_name

# Each write leaves a pack; so many more than after the last merge, and they are merged again.
_PACKS_BEFORE_MERGE = 32
_OWN_FOLDER = "stackvm"
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
        self._collecting = Collecting(folder / _OWN_FOLDER)
        self._collected = self._collecting.count()
        """How often garbage had been collected when the packs we know of were looked at."""
        self._is_unsure = False
        """Whether it has been since we began: what somebody chose to point to may be gone."""

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        for move in moves:
            check_ref_name(move.ref)
        with disk_errors(f"write to {self.folder}"), self._collecting.writing():
            self._look_again()
            fresh = {item.oid: item for item in objects if self._packs.find(item.oid) is None}
            if fresh:
                self._merge_if_many()
                self._packs.add(fresh.values())
            reached("flush.written")
            if self._is_unsure and any(move.fence is None or move.old is None for move in moves):
                # One that names a fence can't meet a collection: that has raised the fence.
                require_reachable(self, moves)
                self._is_unsure = False
            if moves:
                self._refs.move(moves)

    def _look_again(self) -> None:
        """Where garbage was collected since we looked, what we know of the packs is out of date."""
        count = self._collecting.count()
        if count != self._collected:
            self._packs.rescan()
            self._collected, self._is_unsure = count, True

    def read(self, oid: bytes) -> RawObject:
        try:
            with disk_errors(f"read from {self.folder}"):
                kind, data = self._look_up(oid)
        except DamagedPack as error:
            raise DamagedHistory(oid.hex(), str(error)) from error
        if object_bytes_id(kind, data) != oid:
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
            return _folder_size(self.folder)

    def damage(self) -> Iterator[Damage]:
        with disk_errors(f"read {self.folder}"):
            yield from pack_damage(self.folder / "objects" / "pack")
            yield from loose_damage(self.folder / "objects")
            yield from file_damage(self.folder, self.folder / _OWN_FOLDER)
            try:
                self._refs.check_files()
            except StorageError as error:
                yield Damage(f"folder {_OWN_FOLDER}", error.message)

    def collect(self, also: Collection[bytes] = (), *, dry_run: bool = False) -> Collected:
        with disk_errors(f"write to {self.folder}"), self._collecting.alone(), self._refs.locked():
            folder = self.folder / "objects"
            return collect_garbage(self, folder, self._packs, self._collecting, also, dry_run=dry_run)

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

    is_in_database = False

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
            reached("delete.aside")
            shutil.rmtree(aside)

    def stored_bytes(self, task_id: str) -> int:
        return _folder_size(self.path(task_id)) if _TASK_ID.fullmatch(task_id) else 0

    def task_ids(self, older_than_seconds: float = 0.0) -> Iterator[str]:
        with disk_errors(f"read {self._folder}"):
            before = time.time() - older_than_seconds
            for path in sorted(self._folder.glob("*.git")):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime <= before:
                        yield path.name.removesuffix(".git")

    def clean(self, *, dry_run: bool = False) -> int:
        freed = 0
        with disk_errors(f"tidy up {self._folder}"):
            for left in self._folder.glob(f"{TEMPORARY_PREFIX}*"):
                if is_stale(left):
                    freed += _folder_size(left)
                    if not dry_run:
                        shutil.rmtree(left, ignore_errors=True)
        return freed

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


def _folder_size(path: Path) -> int:
    return sum(_size(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
