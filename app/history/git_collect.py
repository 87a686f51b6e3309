"""Dropping from a repository on disk the objects that no ref reaches, and the lock that keeps writers apart from it.

A writer puts its objects first and moves refs then, and leaves out what is there already. Both happen under a lock
that writers share and that who collects has alone. A counter beside it says that what was there may be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.crash_points import reached
from app.history.base import Collected, Store
from app.history.disk import is_stale, replace_durably, shared_lock
from app.history.loose_objects import LooseObjects
from app.history.pack_folder import PackFolder
from app.history.reachable import reachable_ids

_LOCK: Final = "collecting"
_COUNTER: Final = "collected"


class Collecting:
    """The lock and the counter of the repository whose own folder is ``own``."""

    def __init__(self, own: Path) -> None:
        self._own = own

    def count(self) -> bytes:
        """Differs from what it was once objects have been dropped."""
        try:
            return (self._own / _COUNTER).read_bytes()
        except FileNotFoundError:
            return b""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While objects are added and refs moved."""
        self._own.mkdir(exist_ok=True)
        with shared_lock(self._own / _LOCK, alone=False):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While objects are dropped."""
        self._own.mkdir(exist_ok=True)
        with shared_lock(self._own / _LOCK, alone=True):
            yield

    def raise_count(self) -> None:
        """Objects are about to be dropped."""
        before = self.count()
        number = int(before) if before.isdigit() else len(before)
        replace_durably(self._own / _COUNTER, b"%d" % (number + 1))


def collect_garbage(
    store: Store,
    folder: Path,
    packs: PackFolder,
    collecting: Collecting,
    also: Collection[bytes],
    *,
    dry_run: bool,
) -> Collected:
    """See :meth:`app.history.base.Store.collect`. The caller has the repository to itself."""
    kept = reachable_ids(store, [*store.refs().values(), *also])
    packs.rescan()
    loose = LooseObjects(folder)
    # git itself writes loose objects first and the refs to them later, under no lock of ours.
    old = [oid for oid in loose.with_prefix("") if oid not in kept and is_stale(loose.path(oid))]
    garbage = packs.garbage(kept)
    if not garbage and not old:
        return Collected(0, 0)
    dropped = set(old).union(*garbage.values())
    freed = sum(loose.path(oid).stat().st_size for oid in old)
    if dry_run:
        return Collected(len(dropped), freed + packs.share(garbage))
    collecting.raise_count()
    freed += packs.rewrite(garbage)
    reached("collect.dropped")
    _unlink(loose, old)
    return Collected(len(dropped), freed)


def _unlink(loose: LooseObjects, oids: Collection[bytes]) -> None:
    for oid in oids:
        loose.path(oid).unlink(missing_ok=True)
