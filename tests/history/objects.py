"""Helpers of the history tests: a sink that can be read, and snapshots to encode."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.history.canonical import parse_canonical
from app.history.trees import Entry, ObjectSink, parse_tree


class ReadableSink(ObjectSink):
    """Keeps every object it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[bytes, bytes] = {}

    def add(self, kind: int, data: bytes) -> bytes:
        oid = super().add(kind, data)
        self.objects[oid] = data
        return oid

    def read_tree(self, oid: bytes) -> list[Entry]:
        return parse_tree(self.objects[oid])

    def read_json(self, oid: bytes) -> Any:
        return parse_canonical(self.objects[oid])


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
small = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    small, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5), max_leaves=12
)
variable_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
