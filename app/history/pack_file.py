"""A pack on disk, read: also what the stock git client packed, deltas included."""

from __future__ import annotations

import os
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta

from app.history.pack_index import DamagedPack, PackIndex
from app.history.packs import HEADER_BYTES, TRAILER_BYTES

_DELTA_BY_OFFSET = 6
_DELTA_BY_ID = 7
_WHOLE = (1, 2, 3, 4)
_GLANCE = 4096
_LONG_READ = 1 << 18
_LONGEST_CHAIN = 10_000
# Bases of deltas are kept for the next delta on them: at most this many, of at most this size.
_KEPT_BASES = 256
_KEPT_BASE_BYTES = 1 << 16


class _Entry(NamedTuple):
    """The head of a packed object.

    ``base`` is the offset of what a delta builds on; in ``glance``, the bytes read so far, the compressed
    ones begin at ``start``.
    """

    kind: int
    size: int
    base: int | None
    glance: bytes
    start: int


class PackFile:
    """One pack and its index. Its file stays open, so that it can be read after another process removed it.

    Raises ``FileNotFoundError`` on opening where it was removed, :class:`DamagedPack` where it can't be read.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._handle = os.open(folder / f"{name}.pack", os.O_RDONLY | os.O_CLOEXEC)
        # By the last reference, not by a call: another thread may be reading while the pack is dropped.
        weakref.finalize(self, os.close, self._handle)
        self.size_bytes = os.fstat(self._handle).st_size
        self.index = PackIndex((folder / f"{name}.idx").read_bytes())
        self._bases: dict[int, tuple[int, bytes]] = {}

    def read(self, offset: int) -> tuple[int, bytes]:
        """The kind and the bytes of the object at ``offset``."""
        try:
            return self._read(offset)
        except (zlib.error, ApplyDeltaError, IndexError, ValueError) as error:
            raise DamagedPack(f"can't be unpacked from {self.name}: {error}") from error

    def kind(self, offset: int) -> int:
        """The kind of the object at ``offset``, without unpacking it."""
        for _ in range(_LONGEST_CHAIN):
            entry = self._entry(offset)
            if entry.base is None:
                return entry.kind
            offset = entry.base
        raise DamagedPack(f"has deltas without end in {self.name}")

    def whole(self) -> bytes:
        """All bytes of the file."""
        return os.pread(self._handle, self.size_bytes, 0)

    def packed(self) -> Iterator[tuple[bytes, bytes]] | None:
        """All objects as ``(id, packed bytes)``; ``None`` where one is a delta or not what its index says."""
        data = os.pread(self._handle, self.size_bytes, 0)
        entries = sorted(self.index.entries(), key=lambda entry: entry.offset)
        if not entries:
            return None
        ends = [entry.offset for entry in entries[1:]] + [len(data) - TRAILER_BYTES]
        for entry, end in zip(entries, ends, strict=True):
            if not HEADER_BYTES <= entry.offset < end or data[entry.offset] >> 4 & 7 not in _WHOLE:
                return None
            if zlib.crc32(memoryview(data)[entry.offset : end]) != entry.crc:
                return None
        return ((entry.oid, data[entry.offset : end]) for entry, end in zip(entries, ends, strict=True))

    def _read(self, offset: int) -> tuple[int, bytes]:
        deltas: list[tuple[int, bytes]] = []
        while (found := self._bases.get(offset)) is None:
            entry = self._entry(offset)
            data = self._inflate(entry, offset)
            if entry.base is None:
                found = entry.kind, data
                if deltas:
                    self._keep(offset, entry.kind, data)
                break
            deltas.append((offset, data))
            offset = entry.base
            if len(deltas) > _LONGEST_CHAIN:
                raise ValueError("deltas without end")
        kind, data = found
        for place, delta in reversed(deltas):
            data = b"".join(apply_delta(data, delta))
            self._keep(place, kind, data)
        return kind, data

    def _keep(self, offset: int, kind: int, data: bytes) -> None:
        if len(data) <= _KEPT_BASE_BYTES:
            if len(self._bases) >= _KEPT_BASES:
                self._bases.clear()
            self._bases[offset] = kind, data

    def _entry(self, offset: int) -> _Entry:
        glance = os.pread(self._handle, _GLANCE, offset)
        try:
            byte = glance[0]
            kind, size, shift, start = byte >> 4 & 7, byte & 15, 4, 1
            while byte & 0x80:
                byte = glance[start]
                size |= (byte & 0x7F) << shift
                shift += 7
                start += 1
            if kind in _WHOLE:
                return _Entry(kind, size, None, glance, start)
            return self._delta_entry(kind, size, glance, start, offset)
        except IndexError as error:
            raise DamagedPack(f"lies beyond the end of {self.name}") from error

    def _delta_entry(self, kind: int, size: int, glance: bytes, start: int, offset: int) -> _Entry:
        if kind == _DELTA_BY_ID:
            base = self.index.find(glance[start : start + 20])
            start += 20
        elif kind == _DELTA_BY_OFFSET:
            byte = glance[start]
            back = byte & 0x7F
            start += 1
            while byte & 0x80:
                byte = glance[start]
                back = (back + 1) << 7 | byte & 0x7F
                start += 1
            base = offset - back
        else:
            base = None
        if base is None or not HEADER_BYTES <= base < self.size_bytes:
            raise DamagedPack(f"has no sound entry in {self.name}")
        return _Entry(kind, size, base, glance, start)

    def _inflate(self, entry: _Entry, offset: int) -> bytes:
        stream = zlib.decompressobj()
        parts = [stream.decompress(entry.glance[entry.start :])]
        offset += len(entry.glance)
        while not stream.eof:
            more = os.pread(self._handle, _LONG_READ, offset)
            if not more:
                raise ValueError("it is cut short")
            offset += len(more)
            parts.append(stream.decompress(more))
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if len(data) != entry.size:
            raise ValueError("its size is wrong")
        return data
