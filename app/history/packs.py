"""Packs as bytes: many objects in one file, in git's pack format (version 2), without deltas."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha1
from typing import NamedTuple

from app.history.base import RawObject
from app.history.pack_index import PackEntry, build_index

# Far below the 2 GiB from which an index needs longer offsets, and small enough to be built in memory.
MAX_PACK_BYTES = 256 << 20

HEADER_BYTES = 12
TRAILER_BYTES = 20
_SMALL_OBJECT = 32 << 10


_HEADERS = {1: b"commit %d\0", 2: b"tree %d\0", 3: b"blob %d\0", 4: b"tag %d\0"}


def object_bytes_id(kind: int, data: bytes) -> bytes:
    """The id of an object of any of git's kinds, tags included."""
    return sha1(_HEADERS[kind] % len(data) + data, usedforsecurity=False).digest()


class PackImage(NamedTuple):
    """A pack and its index, ready to be written; ``name`` is that of both files without their suffix."""

    name: str
    pack_bytes: bytes
    index_bytes: bytes


def build_pack(objects: Iterable[RawObject]) -> PackImage:
    """Pack objects whose ids are all different."""
    body = PackBody()
    for item in objects:
        body.append(item.oid, pack_entry(item.kind, item.data))
    return body.finish()


class PackBody:
    """A pack that grows by packed entries."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._entries: list[PackEntry] = []
        self._end = HEADER_BYTES

    def append(self, oid: bytes, packed: bytes) -> None:
        """Add an object in its packed form, see :func:`pack_entry`."""
        self._entries.append(PackEntry(oid, zlib.crc32(packed), self._end))
        self._parts.append(packed)
        self._end += len(packed)

    def finish(self) -> PackImage:
        """The pack with its header, checksum and index."""
        body = b"".join((struct.pack(">4sII", b"PACK", 2, len(self._entries)), *self._parts))
        checksum = sha1(body, usedforsecurity=False).digest()
        index = build_index(self._entries, checksum)
        return PackImage(f"pack-{checksum.hex()}", body + checksum, index)


def pack_entry(kind: int, data: bytes) -> bytes:
    """An object as it stands in a pack: its kind and size in seven-bit groups, its bytes compressed."""
    size = len(data)
    if size < 16:
        return bytes((kind << 4 | size,)) + _deflate(data)
    header = bytearray((0x80 | kind << 4 | size & 15,))
    size >>= 4
    while size > 127:
        header.append(0x80 | size & 127)
        size >>= 7
    header.append(size)
    return bytes(header) + _deflate(data)


def in_packs(objects: Iterable[RawObject]) -> Iterator[list[RawObject]]:
    """Objects in groups, each of which fits one pack. An object larger than that has a group of its own."""
    group: list[RawObject] = []
    size = 0
    for item in objects:
        if group and size + len(item.data) > MAX_PACK_BYTES:
            yield group
            group, size = [], 0
        group.append(item)
        size += len(item.data)
    if group:
        yield group


def _deflate(data: bytes) -> bytes:
    """Compress fast. zlib's default window and tables take 50 µs to set up, small ones 3 µs."""
    small = len(data) <= _SMALL_OBJECT
    packer = zlib.compressobj(1, zlib.DEFLATED, 12, 4) if small else zlib.compressobj(1)
    return packer.compress(data) + packer.flush()
