"""A pack that a client sent, taken apart within limits: nothing of it is believed, nothing of it is stored here."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Final, NamedTuple

from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta

from app.errors import InputError
from app.history.base import Kind, RawObject, object_id
from app.history.packs import HEADER_BYTES, TRAILER_BYTES

_BY_OFFSET: Final = 6
_BY_ID: Final = 7
_TAG: Final = 4
_CHUNK: Final = 1 << 16
_LONGEST_HEADER: Final = 10


class PackLimits(NamedTuple):
    """``bytes`` holds for what is sent, and for what it is unpacked to."""

    bytes: int
    objects: int


class _Entry(NamedTuple):
    kind: int
    data: bytes
    base: int | bytes | None


Look = Callable[[bytes], RawObject | None]


def read_pack(data: bytes, limits: PackLimits, look: Look) -> dict[bytes, RawObject]:
    """The objects of a pack by their ids, worked out anew; tags are left out.

    ``look`` finds what a delta builds on and the pack lacks. Raises ``InputError``.
    """
    count = _checked_count(data, limits)
    try:
        return _Unpacking(memoryview(data)[:-TRAILER_BYTES], limits, look).all(count)
    except (zlib.error, ApplyDeltaError, IndexError, ValueError) as error:
        raise InputError(f"the pack can't be read: {error}") from None


def too_large(limits: PackLimits) -> InputError:
    """What is said of a push above the limit of bytes."""
    return InputError(f"the push is larger than {limits.bytes:,} bytes", hint="PUSH_MAX_BYTES is the limit")


def _checked_count(data: bytes, limits: PackLimits) -> int:
    if len(data) > limits.bytes:
        raise too_large(limits)
    if len(data) < HEADER_BYTES + TRAILER_BYTES or data[:8] != b"PACK\0\0\0\2":
        raise InputError("what was sent is no pack of git's version 2")
    if sha1(memoryview(data)[:-TRAILER_BYTES], usedforsecurity=False).digest() != data[-TRAILER_BYTES:]:
        raise InputError("the pack was cut off or changed on its way")
    count = int.from_bytes(data[8:HEADER_BYTES], "big")
    if count > limits.objects:
        raise InputError(
            f"the push has {count:,} objects; at most {limits.objects:,} are taken",
            hint="a new plan is three objects a commit; PUSH_MAX_OBJECTS is the limit",
        )
    return count


@dataclass(slots=True)
class _Unpacking:
    data: memoryview
    limits: PackLimits
    look: Look
    left: int = 0
    by_offset: dict[int, RawObject] = field(default_factory=dict)
    by_id: dict[bytes, RawObject] = field(default_factory=dict)

    def all(self, count: int) -> dict[bytes, RawObject]:
        self.left = self.limits.bytes
        waiting: list[tuple[int, _Entry]] = []
        position = HEADER_BYTES
        for _ in range(count):
            entry, end = self._entry(position)
            if not self._resolve(position, entry):
                waiting.append((position, entry))
            position = end
        if position != len(self.data):
            raise ValueError("there is more in it than it says")
        while waiting:  # bases may follow what builds on them
            still = [(place, entry) for place, entry in waiting if not self._resolve(place, entry)]
            if len(still) == len(waiting):
                raise ValueError("it lacks what it builds on")
            waiting = still
        return self.by_id

    def _resolve(self, position: int, entry: _Entry) -> bool:
        if entry.base is None:
            self._take(position, entry.kind, entry.data)
            return True
        base = self._base(entry.base)
        if base is None:
            return False
        self._spend(_result_size(entry.data))
        self._take(position, base.kind, b"".join(apply_delta(base.data, entry.data)))
        return True

    def _base(self, named: int | bytes) -> RawObject | None:
        if isinstance(named, int):
            return self.by_offset.get(named)
        return self.by_id.get(named) or self.look(named)

    def _take(self, position: int, kind: int, data: bytes) -> None:
        if kind == _TAG:
            return
        item = RawObject(object_id(Kind(kind), data), kind, data)
        self.by_offset[position] = item
        self.by_id[item.oid] = item

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise too_large(self.limits)

    def _entry(self, position: int) -> tuple[_Entry, int]:
        start = position
        byte = self.data[position]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        position += 1
        while byte & 0x80:
            if position - start > _LONGEST_HEADER:
                raise ValueError("a size without end")
            byte = self.data[position]
            size |= (byte & 0x7F) << shift
            shift += 7
            position += 1
        base: int | bytes | None = None
        if kind == _BY_ID:
            base = bytes(self.data[position : position + 20])
            position += 20
        elif kind == _BY_OFFSET:
            back, position = self._offset(position)
            base = start - back
        elif kind not in (*Kind, _TAG):
            raise ValueError(f"an object of kind {kind}")
        self._spend(size)
        data, end = self._inflate(position, size)
        return _Entry(kind, data, base), end

    def _offset(self, position: int) -> tuple[int, int]:
        byte = self.data[position]
        back, start = byte & 0x7F, position
        position += 1
        while byte & 0x80:
            if position - start > _LONGEST_HEADER:
                raise ValueError("an offset without end")
            byte = self.data[position]
            back = (back + 1) << 7 | byte & 0x7F
            position += 1
        return back, position

    def _inflate(self, position: int, size: int) -> tuple[bytes, int]:
        """What is compressed at ``position``: never more than ``size`` and a byte of it is unpacked."""
        stream = zlib.decompressobj()
        parts: list[bytes] = []
        length = 0
        fed: bytes | memoryview = b""
        while not stream.eof:
            if not fed:
                fed = self.data[position : position + _CHUNK]
                if not fed:
                    raise ValueError("it is cut short")
                position += len(fed)
            parts.append(stream.decompress(fed, size + 1 - length))
            length += len(parts[-1])
            fed = stream.unconsumed_tail
            if length > size:
                break
        if length != size:
            raise ValueError("an object is not as long as it says")
        return b"".join(parts), position - len(stream.unused_data)


def _result_size(delta: bytes) -> int:
    """How long what a delta makes is, as it says itself; applying it verifies that."""
    position = 0
    size = 0
    for _ in range(2):
        size, shift = 0, 0
        while True:
            byte = delta[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift > 70:
                raise ValueError("a size without end")
    return size
