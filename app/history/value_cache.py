"""Reading many versions of a value: the parts that versions share are read and parsed once."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

from app.history.canonical import parse_canonical
from app.history.snapshots import SnapshotReader
from app.history.trees import Entry

MAX_BYTES: Final = 64 << 20
"""Bytes of canonical text whose values are kept; those used longest ago go first."""

_TREES: Final = 4096


class ValueCache:
    """Values by their entries. What it gives shares its parts: it must not be changed in place."""

    def __init__(self, reader: SnapshotReader, max_bytes: int = MAX_BYTES) -> None:
        self._reader = reader
        self._max_bytes = max_bytes
        self._bytes = 0
        self._parsed: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self._read_tree = lru_cache(_TREES)(reader.read_tree)

    def value(self, entry: Entry) -> Any:
        """The value behind an entry. Raises ``DamagedHistory``."""
        return self._reader.load(entry, self._read_tree, self._read_json)

    def _read_json(self, oid: bytes) -> Any:
        known = self._parsed.get(oid)
        if known is not None:
            self._parsed.move_to_end(oid)
            return known[0]
        text = self._reader.read_blob(oid)
        value, size = parse_canonical(text), len(text)
        self._parsed[oid] = value, size
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= self._parsed.popitem(last=False)[1][1]
        return value
