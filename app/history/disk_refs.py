"""Refs of a repository on disk, moved by compare-and-set under the repository's lock, and their fences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from app.errors import BranchMoved, StorageError
from app.history.base import RefMove
from app.history.disk import held_lock, replace_durably, sync_folder
from app.history.git_locks import git_lock
from app.history.ref_files import PACKED_REFS, RefFiles
from app.history.ref_moves import check_fence, moved_refs

_CHECKSUM: Final = "checksum"
"""Beside names of refs, all of which begin with ``refs/``."""


class DiskRefs:
    """The refs of the repository in ``folder``; what is ours alone lies in ``own``, a folder in it."""

    def __init__(self, folder: Path, own: Path) -> None:
        self._folder = folder
        self._own = own
        self._files = RefFiles(folder, own)
        self._fences = own / "fences.json"
        self._journal = own / "moves.json"

    def all(self) -> dict[str, bytes]:
        """All refs under ``refs/``."""
        self._await_journal()
        return self._files.all()

    def get(self, name: str) -> bytes | None:
        """Where the ref stands, or ``None``."""
        self._await_journal()
        return self._files.get(name)

    def move(self, moves: Sequence[RefMove]) -> None:
        """Do all moves or none, durably. Raises as :meth:`app.history.base.Store.write` does."""
        with self.locked(), ExitStack() as held:
            creates = any(move.old is None for move in moves)
            before = self._files.all() if creates else self._files.some({move.ref for move in moves})
            fences = self._read_fences() if any(move.fence is not None for move in moves) else {}
            changed = moved_refs(before, fences, moves)
            self._lock_out_git(held, changed)
            for name in changed:
                if self._files.get(name) != before.get(name):
                    raise BranchMoved(name, "git moved it")
            self._apply(before, changed)

    def raise_fence(self, ref: str, fence: int) -> None:
        """See :meth:`app.history.base.Store.raise_fence`."""
        with self.locked():
            fences = self._read_fences()
            check_fence(ref, fences.get(ref, 0), fence)
            if fences.get(ref) != fence:
                fences[ref] = fence
                replace_durably(self._fences, _object_text(fences))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the repository's lock, with moves that a kill interrupted brought to their end."""
        self._own.mkdir(exist_ok=True)
        with held_lock(self._own / "lock"):
            if self._journal.exists():
                self._redo()
            yield

    def _apply(self, before: Mapping[str, bytes], changed: Mapping[str, bytes | None]) -> None:
        """One rename is atomic by itself; for several a journal says what a kill left to do."""
        if len(changed) == 1:
            self._files.put(changed)
            return
        journal = {name: [_hex(before.get(name)), _hex(target)] for name, target in changed.items()}
        replace_durably(self._journal, _object_text(journal))
        self._files.put(changed)
        self._end_journal()

    def _redo(self) -> None:
        """Do what is left of the journal's moves; a ref that git moved since is left where it is."""
        journal: dict[str, list[str | None]] = _read_object(self._journal)
        with ExitStack() as held:
            self._lock_out_git(held, {name: _bytes(new) for name, (_, new) in journal.items()})
            self._files.put(
                {
                    name: _bytes(new)
                    for name, (old, new) in journal.items()
                    if self._files.get(name) == _bytes(old)
                }
            )
        self._end_journal()

    def _end_journal(self) -> None:
        self._journal.unlink()
        sync_folder(self._own)

    def _await_journal(self) -> None:
        """Where several moves are under way, wait for their end or bring it about: they are one."""
        if self._journal.exists():
            with self.locked():
                pass

    def check_files(self) -> None:
        """Raise ``StorageError`` for a file of ours that is not what was written."""
        if any(type(fence) is not int or fence < 0 for fence in self._read_fences().values()):
            raise _damaged(self._fences)
        if self._journal.exists():
            with self.locked():
                pass

    def _read_fences(self) -> dict[str, int]:
        try:
            return _read_object(self._fences)
        except FileNotFoundError:
            return {}

    def _lock_out_git(self, held: ExitStack, changed: Mapping[str, bytes | None]) -> None:
        """Take the locks git takes for these moves, each ref's own and that of the packed refs."""
        for name in sorted(changed):
            self._files.make_room(name)
            held.enter_context(git_lock(self._folder / name))
        if None in changed.values():
            held.enter_context(git_lock(self._folder / PACKED_REFS))


def _object_text(value: Mapping[str, Any]) -> bytes:
    """The content of a file of ours: an object, with a checksum among its members."""
    return json.dumps({**value, _CHECKSUM: _checksum(value)}).encode()


def _checksum(value: Mapping[str, Any]) -> int:
    return crc32(json.dumps(value, sort_keys=True).encode())


def _read_object(path: Path) -> dict[str, Any]:
    """What a file of ours holds, which is always an object. Raises ``StorageError`` where it was damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _damaged(path)
    stored = value.pop(_CHECKSUM, None)  # older files have none
    if (stored is not None and stored != _checksum(value)) or not all(map(_is_ref, value)):
        raise _damaged(path)
    return value


def _is_ref(name: str) -> bool:
    return name.startswith("refs/")


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f"history is damaged: {path} is not what was written",
        hint="check the refs with git, then remove the file while nothing runs",
    )


def _hex(oid: bytes | None) -> str | None:
    return None if oid is None else oid.hex()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
