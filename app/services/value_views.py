"""A value as answers show it: whole where it is small, else what it is, how large, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.history.commits import one_line
from app.history.trees import Entry
from app.history.value_ranges import Node, Plain, ValueRanges
from app.plan.model import Json
from app.plan.values import to_json_text

INLINE: Final = 4_096
"""Characters of JSON up to which a value is given whole."""
_PREVIEW_CHARS: Final = 200
_PREVIEW_ITEMS: Final = 20
_PREVIEW_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ValueView:
    """``size`` counts characters, items or keys; ``value`` is there where ``inline``."""

    type: str
    size: int | None
    preview: str
    inline: bool
    value: Json

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": self.type,
            "size": self.size,
            "preview": self.preview,
            "inline": self.inline,
        }
        return {**document, "value": self.value} if self.inline else document


def view_value(ranges: ValueRanges, entry: Entry) -> ValueView:
    """The value behind an entry; of a long one only the beginning is read."""
    node = ranges.open(entry)
    inline = isinstance(node, Plain) and _is_small(node.value)
    value = ranges.load(node) if inline else None
    return ValueView(ranges.type(node), ranges.size(node), _preview(ranges, node), inline, value)


def _is_small(value: Json) -> bool:
    if isinstance(value, str) and len(value) > INLINE:
        return False
    return len(to_json_text(value)) <= INLINE


def _preview(ranges: ValueRanges, node: Node) -> str:
    """The beginning of its JSON on one line."""
    asked = _PREVIEW_CHARS if ranges.type(node) == "text" else _PREVIEW_ITEMS
    head, taken = ranges.slice(node, 0, asked, _PREVIEW_BYTES)
    text = to_json_text(head)
    if taken < (ranges.size(node) or 0):
        text = text[:-1] + "…"
    return one_line(text, _PREVIEW_CHARS)
