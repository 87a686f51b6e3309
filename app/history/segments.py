"""Segments: many objects compressed as one, to a database what packs are to a folder.

A segment is the bytes of its objects one after the other, as one zstd frame; where each object lies is kept
outside of it. A journal row is the same without the frame, each object behind a small header; it needs no
ids, as an object's id is its hash.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import attrgetter
from struct import Struct
from threading import Lock
from typing import Final, NamedTuple, TypeAlias

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

from app.history.base import RawObject, object_id

SEGMENT_BYTES: Final = 1 << 20
"""What a segment may hold, uncompressed; a larger object has one of its own."""

# Of levels -1 to 9 on 500 steps: 2.4 µs and 493 bytes a step; level 1 gives 506, level 9 484 in 17 µs.
_LEVEL: Final = 2

_HEADER: Final = Struct(">BI")  # kind, length

_by_kind = attrgetter("kind")


Place: TypeAlias = tuple[bytes, int, int, int]
"""Where an object lies within its segment: its id, from which byte, how many, its kind.

A plain tuple: there are thousands a write, and the garbage collector lets go of those for good.
"""


class Segment(NamedTuple):
    """A compressed segment, the size of what it holds, and its objects' places."""

    data: bytes
    raw_bytes: int
    places: list[Place]


def make_segments(objects: Iterable[RawObject]) -> Iterator[Segment]:
    """Compress ``objects`` into as few segments as may be. Like beside like: that compresses better."""
    compressor = ZstdCompressor(level=_LEVEL, write_checksum=True)
    ordered = sorted(objects, key=_by_kind)
    if ordered and sum([len(item.data) for item in ordered]) <= SEGMENT_BYTES:
        yield _segment(compressor, ordered)
        return
    group: list[RawObject] = []
    size = 0
    for item in ordered:
        if group and size + len(item.data) > SEGMENT_BYTES:
            yield _segment(compressor, group)
            group, size = [], 0
        group.append(item)
        size += len(item.data)
    if group:
        yield _segment(compressor, group)


def _segment(compressor: ZstdCompressor, group: list[RawObject]) -> Segment:
    oids, kinds, parts = zip(*group, strict=True)
    lengths = list(map(len, parts))
    *positions, size = accumulate(lengths, initial=0)
    places = list(zip(oids, positions, lengths, kinds, strict=True))
    return Segment(compressor.compress(b"".join(parts)), size, places)


def open_segment(data: bytes, raw_bytes: int) -> bytes | None:
    """The bytes a segment holds; ``None`` where it is damaged."""
    try:
        # Asked first: a damaged header may name a size that no memory has.
        return ZstdDecompressor().decompress(data) if frame_content_size(data) == raw_bytes else None
    except ZstdError:
        return None


def journal_row(objects: Iterable[RawObject]) -> bytes:
    """Objects as a row of the journal."""
    parts = []
    for _, kind, data in objects:
        parts.append(_HEADER.pack(kind, len(data)))
        parts.append(data)
    return b"".join(parts)


def read_journal_row(row: bytes) -> list[RawObject]:
    """The objects of a journal row. What is damaged has other ids than it had, or none."""
    objects = []
    position = 0
    while position + _HEADER.size <= len(row):
        kind, length = _HEADER.unpack_from(row, position)
        position += _HEADER.size
        data = row[position : position + length]
        position += length
        if len(data) == length and 1 <= kind <= 3:
            objects.append(RawObject(object_id(kind, data), kind, data))
    return objects


def whole_journal_row(row: bytes) -> bool:
    """Whether a row is made of whole objects and nothing else."""
    position = 0
    while position + _HEADER.size <= len(row):
        kind, length = _HEADER.unpack_from(row, position)
        position += _HEADER.size + length
        if not 1 <= kind <= 3:
            return False
    return position == len(row)


class SegmentCache:
    """The segments used last, decompressed. Shared by the stores of one database and by threads."""

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._segments: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, number: int) -> bytes | None:
        """The segment's bytes, if they are here."""
        with self._lock:
            raw = self._segments.get(number)
            if raw is not None:
                self._segments.move_to_end(number)
            return raw

    def put(self, number: int, raw: bytes) -> None:
        """Keep a segment, and let go of those not used for longest. A larger one than all is not kept."""
        with self._lock:
            if number in self._segments or len(raw) > self._max_bytes:
                return
            self._segments[number] = raw
            self._bytes += len(raw)
            while self._bytes > self._max_bytes:
                _, dropped = self._segments.popitem(last=False)
                self._bytes -= len(dropped)
