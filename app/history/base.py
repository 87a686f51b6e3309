"""The store seam: immutable git objects, and refs that move by compare-and-set. Plain data in and out.

A store holds the objects and refs of one task. What is readable is durable: ``write`` returns when its
objects and moves are on stable storage, and nobody sees a moved ref without the objects it reaches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from hashlib import sha1
from typing import NamedTuple, Protocol


class Kind(IntEnum):
    """The type of a git object, with the number git's packs use."""

    COMMIT = 1
    TREE = 2
    BLOB = 3

    @property
    def label(self) -> str:
        """The word git uses: ``commit``, ``tree``, ``blob``."""
        return self.name.lower()


class RawObject(NamedTuple):
    """A git object: its 20-byte id, its kind, its bytes without git's header."""

    oid: bytes
    kind: int
    data: bytes


class RefMove(NamedTuple):
    """Move ``ref`` (full name, ``refs/heads/…``) from ``old`` to ``new`` (20-byte ids).

    ``old`` ``None``: the ref must not exist. ``new`` ``None``: delete it. ``fence``, where given, must be the
    number last set by :meth:`Store.raise_fence` for that ref (0 where none was).
    """

    ref: str
    old: bytes | None
    new: bytes | None
    fence: int | None = None


class Damage(NamedTuple):
    """Something that is not as it was written. ``what`` names it, ``problem`` is the rest of the sentence.

    ``is_leftover``: nothing is lost; a process that was killed left it, and it can go.
    """

    what: str
    problem: str
    is_leftover: bool = False


class Collected(NamedTuple):
    """What no ref reached: how many objects were dropped, and the bytes that freed."""

    objects: int
    bytes: int


_HEADERS: dict[int, bytes] = {Kind.COMMIT: b"commit %d\0", Kind.TREE: b"tree %d\0", Kind.BLOB: b"blob %d\0"}


def object_id(kind: int, data: bytes) -> bytes:
    """The git id of an object: SHA-1 over git's header and the bytes. 20 bytes."""
    digest = sha1(_HEADERS[kind] % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.digest()


class Store(Protocol):
    """The repository of one task."""

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        """Make ``objects`` durable, then do all ``moves`` or none.

        Objects that are there already are passed over. Raises ``BranchMoved`` where a ref is not at ``old``
        or the fence is not ours, ``InvalidName`` for a ref name that git's rules refuse, ``Conflict`` for ``a``
        beside ``a/b``, ``StorageError`` where database or disk fail. After an error no ref has moved; objects
        may have been kept (they are harmless).
        """

    def read(self, oid: bytes) -> RawObject:
        """The object, its hash verified. Raises ``DamagedHistory`` where it is missing or wrong."""

    def read_many(self, oids: Iterable[bytes]) -> Iterator[RawObject]:
        """The objects, each verified as by :meth:`read`, in whatever order is quick; each id once.

        Many at a time are looked up together, and between two that are given out nothing is held open. Raises
        ``DamagedHistory`` where one is missing or wrong; those before it may have been given out by then.
        """

    def has(self, oid: bytes) -> bool:
        """Whether the object is there."""

    def object_ids(self, kind: Kind | None = None) -> Iterator[bytes]:
        """The ids of all objects, or of those of one kind, in any order."""

    def find_commits(self, prefix: str, limit: int = 5) -> list[bytes]:
        """Ids of commits whose hex form begins with ``prefix`` (hex digits, at least 4)."""

    def refs(self) -> dict[str, bytes]:
        """All refs under ``refs/``: full name → id."""

    def ref(self, name: str) -> bytes | None:
        """Where the ref stands, or ``None``."""

    def raise_fence(self, ref: str, fence: int) -> None:
        """From now on moves of ``ref`` that name a fence must name this one.

        Raises ``BranchMoved`` where the stored fence is higher already. The ref need not exist.
        """

    def stored_bytes(self) -> int:
        """How many bytes the task's objects take where they lie."""

    def damage(self) -> Iterator[Damage]:
        """What is wrong with how objects and refs are stored; every object is read, reached or not.

        Goes on behind what it finds. That objects are missing, or refs point nowhere, is seen by who knows what
        ought to be there (:mod:`app.history.inspection`).
        """

    def collect(self, also: Collection[bytes] = (), *, dry_run: bool = False) -> Collected:
        """Drop the objects that neither a ref nor a commit of ``also`` reaches; with ``dry_run`` only say how much
        that would be.

        The caller keeps runs away: it holds the lease of every ref and has raised its fence. Refs may be made
        meanwhile; what they reach stays. Raises ``DamagedHistory`` where an object that is reached can't be read.
        """

    def finish(self) -> None:
        """A run ended: consolidate what many small writes left behind. Cheap where there is nothing to do."""

    def close(self) -> None:
        """Let go of files and caches. The store can't be used afterwards."""


class StoreFactory(Protocol):
    """Opens the stores of one kind.

    ``is_in_database``: what a store writes may be part of a transaction of the database where the tasks are.
    """

    is_in_database: bool

    def create(self, task_id: str) -> Store:
        """Make an empty repository. Raises ``Conflict`` where it exists."""

    def open(self, task_id: str) -> Store:
        """Open an existing repository. Raises ``NotFound``."""

    def delete(self, task_id: str) -> None:
        """Remove the repository and all that is in it, damaged or not. Nothing happens where there is none."""

    def stored_bytes(self, task_id: str) -> int:
        """How many bytes the repository takes, 0 where there is none; it need not be one that can be opened."""

    def task_ids(self, older_than_seconds: float = 0.0) -> Iterator[str]:
        """The tasks that have a repository here, made at least so long ago."""

    def clean(self, *, dry_run: bool = False) -> int:
        """Remove what killed processes left beside the repositories; gives the bytes that freed."""
