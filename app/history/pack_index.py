"""The index of a pack (git's version 2): which object lies at which offset."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from hashlib import sha1
from itertools import accumulate
from typing import NamedTuple

from app.errors import StorageError

_MAGIC = b"\xfftOc\x00\x00\x00\x02"
_NAMES = len(_MAGIC) + 256 * 4
_TRAILER = 40
# Up to this many objects the whole index is also kept as a dictionary: a miss then costs next to nothing.
_SMALL = 5_000


class DamagedPack(StorageError):
    """A pack or its index can't be read; says why. The git store names the object it was asked for."""


class PackEntry(NamedTuple):
    """Where an object lies in a pack: its id, the CRC-32 of its packed bytes, their offset."""

    oid: bytes
    crc: int
    offset: int


def build_index(entries: Sequence[PackEntry], pack_checksum: bytes) -> bytes:
    """The index file of a pack smaller than 2 GiB."""
    ordered = sorted(entries)
    counts = [0] * 256
    for entry in ordered:
        counts[entry.oid[0]] += 1
    body = b"".join(
        (
            _MAGIC,
            struct.pack(">256I", *accumulate(counts)),
            *[entry.oid for entry in ordered],
            struct.pack(f">{len(ordered)}I", *[entry.crc for entry in ordered]),
            struct.pack(f">{len(ordered)}I", *[entry.offset for entry in ordered]),
            pack_checksum,
        )
    )
    return body + sha1(body, usedforsecurity=False).digest()


class PackIndex:
    """An index in memory. Raises :class:`DamagedPack` where the bytes are no index or not whole."""

    def __init__(self, data: bytes) -> None:
        if data[: len(_MAGIC)] != _MAGIC or len(data) < _NAMES + _TRAILER:
            raise DamagedPack("its index is not one of version 2")
        if sha1(data[:-20], usedforsecurity=False).digest() != data[-20:]:
            raise DamagedPack("its index has a wrong checksum")
        self._data = data
        self._fanout = (0, *struct.unpack_from(">256I", data, len(_MAGIC)))
        self.count: int = self._fanout[-1]
        self._crcs = _NAMES + 20 * self.count
        self._offsets = self._crcs + 4 * self.count
        self._far_offsets = self._offsets + 4 * self.count
        if len(data) < self._far_offsets + _TRAILER:
            raise DamagedPack("its index is too short")
        self._by_id = (
            dict(zip(self.ids(), self._all_offsets(), strict=True)) if self.count <= _SMALL else None
        )

    @property
    def pack_checksum(self) -> bytes:
        """The checksum of the pack it was made for."""
        return self._data[-_TRAILER:-20]

    def find(self, oid: bytes) -> int | None:
        """The offset of the object in the pack, or ``None``."""
        if self._by_id is not None:
            return self._by_id.get(oid)
        place = self._position(oid)
        if place >= self.count or self._name(place) != oid:
            return None
        return self._offset(place)

    def ids(self) -> Iterator[bytes]:
        """All ids, in order."""
        data = self._data
        return (data[start : start + 20] for start in range(_NAMES, self._crcs, 20))

    def with_prefix(self, prefix: str) -> Iterator[bytes]:
        """The ids whose lower-case hex form begins with ``prefix``, in order."""
        whole = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        for place in range(self._position(whole), self.count):
            name = self._name(place)
            if not name.startswith(whole):
                return
            if name.hex().startswith(prefix):
                yield name

    def entries(self) -> list[PackEntry]:
        """All entries, in the order of their ids."""
        crcs = struct.unpack_from(f">{self.count}I", self._data, self._crcs)
        return list(map(PackEntry, self.ids(), crcs, self._all_offsets()))

    def _position(self, wanted: bytes) -> int:
        """How many ids sort before ``wanted``, which may be the beginning of an id."""
        first = wanted[0] if wanted else 0
        low, high = self._fanout[first], self._fanout[first + 1]
        return low if not wanted else bisect_left(range(high), wanted, lo=low, hi=high, key=self._name)

    def _name(self, place: int) -> bytes:
        start = _NAMES + 20 * place
        return self._data[start : start + 20]

    def _offset(self, place: int) -> int:
        offset: int = struct.unpack_from(">I", self._data, self._offsets + 4 * place)[0]
        return self._far_offset(offset) if offset >> 31 else offset

    def _all_offsets(self) -> list[int]:
        near = struct.unpack_from(f">{self.count}I", self._data, self._offsets)
        return [self._far_offset(offset) if offset >> 31 else offset for offset in near]

    def _far_offset(self, marked: int) -> int:
        """An offset beyond 2 GiB stands in a table of its own; the near one says where."""
        start = self._far_offsets + 8 * (marked & 0x7FFFFFFF)
        if start + 8 > len(self._data) - _TRAILER:
            raise DamagedPack("its index points outside itself")
        far: int = struct.unpack_from(">Q", self._data, start)[0]
        return far
