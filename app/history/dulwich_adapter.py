"""Any store, presented to dulwich as a repository: so it can be walked, compared, packed and served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

from dulwich.config import ConfigFile, StackedConfig
from dulwich.errors import NoIndexPresent
from dulwich.index import Index
from dulwich.object_store import MemoryObjectStore
from dulwich.objects import ObjectID, RawObjectID, ShaFile
from dulwich.pack import PackData, PackInflater
from dulwich.refs import HEADREF, SYMREF, Ref, RefsContainer
from dulwich.repo import BaseRepo

from app.errors import BranchMoved, DamagedHistory
from app.history.base import RawObject, RefMove, Store
from app.history.refnames import HEADS

_NOWHERE = bytes(20)
_SPOOL_BYTES = 16 << 20


class StoreObjectStore(MemoryObjectStore):
    """The objects of a store, for dulwich. Hashes are verified by the store.

    Raises ``KeyError`` where an object is missing, as dulwich wants it, ``DamagedHistory`` where it is wrong.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def contains_loose(self, sha: ObjectID) -> bool:
        return self._store.has(_raw_id(sha))

    def __iter__(self) -> Iterator[ObjectID]:
        return (_hex_id(oid) for oid in self._store.object_ids())

    def get_raw(self, name: RawObjectID | ObjectID) -> tuple[int, bytes]:
        oid = _raw_id(name)
        try:
            found = self._store.read(oid)
        except DamagedHistory:
            if self._store.has(oid):
                raise
            raise KeyError(name) from None
        return found.kind, found.data

    def __getitem__(self, name: ObjectID | RawObjectID) -> ShaFile:
        kind, data = self.get_raw(name)
        return ShaFile.from_raw_string(kind, data, sha=_hex_id(_raw_id(name)))

    def add_object(self, obj: ShaFile) -> None:
        self._store.write([_raw_object(obj)])

    def add_objects(
        self,
        objects: Iterable[tuple[ShaFile, str | None]],
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """All in one write: each is a transaction of its own to the store."""
        self._store.write([_raw_object(item) for item, _ in objects])

    def add_pack(self) -> tuple[BinaryIO, Callable[[], None], Callable[[], None]]:
        """A file that takes a pack, and what to call when it is complete or given up."""
        spool = cast("BinaryIO", SpooledTemporaryFile(max_size=_SPOOL_BYTES))  # noqa: SIM115 (closed by both calls)

        def commit() -> None:
            with spool:
                size = spool.tell()
                if size:
                    spool.seek(0)
                    self._take_pack(spool, size)

        return spool, commit, spool.close

    def _take_pack(self, file: IO[bytes], size: int) -> None:
        pack = PackData.from_file(file, self.object_format, size)
        try:
            pack.check()
            self.add_objects((item, None) for item in PackInflater.for_pack_data(pack, self.get_raw))
        finally:
            pack.close()


class StoreRefs(RefsContainer):
    """The refs of a store, for dulwich. ``HEAD`` is symbolic, and kept by this object only."""

    def __init__(self, store: Store, head_branch: str = "main") -> None:
        super().__init__()
        self._store = store
        self._head = Ref(_ref(HEADS + head_branch))

    def allkeys(self) -> set[Ref]:
        return {HEADREF, *(Ref(_ref(name)) for name in self._store.refs())}

    def read_loose_ref(self, name: Ref) -> bytes | None:
        if name == HEADREF:
            return SYMREF + self._head
        found = self._store.ref(_name(name))
        return None if found is None else _hex_id(found)

    def get_packed_refs(self) -> dict[Ref, ObjectID]:
        return {}

    def set_symbolic_ref(
        self,
        name: Ref,
        other: Ref,
        committer: bytes | None = None,
        timestamp: int | None = None,
        timezone: int | None = None,
        message: bytes | None = None,
    ) -> None:
        """Only ``HEAD``: a store has no symbolic refs. Raises ``KeyError`` for another."""
        if name != HEADREF:
            raise KeyError(name)
        self._head = other

    def set_if_equals(
        self,
        name: Ref,
        old_ref: ObjectID | None,
        new_ref: ObjectID,
        committer: bytes | None = None,
        timestamp: int | None = None,
        timezone: int | None = None,
        message: bytes | None = None,
    ) -> bool:
        """``old_ref`` ``None``: from wherever it stands; zeros: it must not exist."""
        self._check_ref_value(new_ref)
        return self._move(name, old_ref, _raw_id(new_ref))

    def add_if_new(
        self,
        name: Ref,
        ref: ObjectID,
        committer: bytes | None = None,
        timestamp: int | None = None,
        timezone: int | None = None,
        message: bytes | None = None,
    ) -> bool:
        return self.set_if_equals(name, _hex_id(_NOWHERE), ref)

    def remove_if_equals(
        self,
        name: Ref,
        old_ref: ObjectID | None,
        committer: bytes | None = None,
        timestamp: int | None = None,
        timezone: int | None = None,
        message: bytes | None = None,
    ) -> bool:
        return name != HEADREF and self._move(name, old_ref, None)

    def _move(self, name: Ref, old_ref: ObjectID | None, new: bytes | None) -> bool:
        real = _name(self._head if name == HEADREF else name)
        old = self._store.ref(real) if old_ref is None else _raw_id(old_ref)
        old = None if old == _NOWHERE else old
        if old is None and new is None:
            return old_ref is None
        with suppress(BranchMoved):
            self._store.write((), [RefMove(real, old, new)])
            return True
        return False


class StoreRepository(BaseRepo):
    """A bare dulwich repository over a store: no files, no settings, none of the user's own either."""

    bare = True

    def __init__(self, store: Store, head_branch: str = "main") -> None:
        super().__init__(StoreObjectStore(store), StoreRefs(store, head_branch))
        self._settings = ConfigFile()

    def get_named_file(self, path: str) -> BinaryIO | None:
        return None

    def get_config(self) -> ConfigFile:
        return self._settings

    def get_config_stack(self) -> StackedConfig:
        return StackedConfig([self._settings], writable=self._settings)

    def get_description(self) -> bytes | None:
        return None

    def open_index(self, config: object = None) -> Index:
        raise NoIndexPresent

    def close(self) -> None:
        """There is nothing to close: the store belongs to the caller."""


def as_repo(store: Store, head_branch: str = "main") -> StoreRepository:
    """The store as a dulwich repository whose ``HEAD`` is ``head_branch``."""
    return StoreRepository(store, head_branch)


def _raw_object(item: ShaFile) -> RawObject:
    return RawObject(bytes.fromhex(item.id.decode()), item.type_num, item.as_raw_string())


def _raw_id(name: bytes) -> bytes:
    """The 20 bytes of an id that dulwich gives as 20 bytes or as 40 hex digits."""
    return name if len(name) == 20 else bytes.fromhex(name.decode())


def _hex_id(oid: bytes) -> ObjectID:
    return ObjectID(oid.hex().encode())


def _ref(name: str) -> bytes:
    return name.encode()


def _name(ref: bytes) -> str:
    """A name that is no UTF-8 is kept, to be refused by the store's own rules."""
    return ref.decode(errors="surrogateescape")
