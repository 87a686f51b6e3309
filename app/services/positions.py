"""How far somebody has been told what happened in a task, as a text that any process understands.

Between the events themselves nothing is remembered: what is new follows from the position and the store.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from app.errors import InputError

HEAD_BYTES: Final = 8
"""So much of a commit's id tells it from the others of its task."""

MAX_CHARS: Final = 6_000
"""Servers and proxies refuse a header above 8 KB. A position that would be longer has no text: about 200 branches."""

_MAX_BYTES: Final = 1 << 20
_PACK_ABOVE: Final = 400


class BranchPosition(NamedTuple):
    """The head's first bytes, and the branch's status as it was told."""

    head: bytes
    status: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """``task`` is the digest of the task's row; empty: nothing was told yet."""

    task: str = ""
    branches: Mapping[str, BranchPosition] = field(default_factory=dict)

    def with_branch(self, name: str, branch: BranchPosition | None) -> Position:
        """The position after something about a branch was told; ``None``: that it is gone."""
        others = {other: position for other, position in self.branches.items() if other != name}
        return Position(self.task, others if branch is None else {**others, name: branch})

    def to_text(self) -> str | None:
        """The text; ``None`` where it would be too long to send."""
        branches = {
            name: [branch.head.hex(), branch.status] for name, branch in sorted(self.branches.items())
        }
        return pack({"t": self.task, "b": branches})


def read_position(text: str) -> Position:
    """The position that :meth:`Position.to_text` gave. Raises ``InputError``."""
    document = unpack(text)
    try:
        branches = {
            str(name): BranchPosition(bytes.fromhex(head), None if status is None else str(status))
            for name, (head, status) in document["b"].items()
        }
        return Position(str(document["t"]), branches)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _unreadable(text) from None


def pack(document: dict[str, Any]) -> str | None:
    """A document as text that fits a header; ``None`` where it is too long."""
    data = orjson.dumps(document)
    marked = b"z" + zlib.compress(data) if len(data) > _PACK_ABOVE else data
    text = base64.urlsafe_b64encode(marked).decode().rstrip("=")
    return text if len(text) <= MAX_CHARS else None


def unpack(text: str) -> dict[str, Any]:
    """What :func:`pack` was given. Raises ``InputError``."""
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if data.startswith(b"z"):
            # No more than we would ever pack: a few bytes may say that they are a gigabyte.
            data = zlib.decompressobj().decompress(data[1:], _MAX_BYTES)
        document = orjson.loads(data)
    except (ValueError, binascii.Error, zlib.error):
        raise _unreadable(text) from None
    if not isinstance(document, dict):
        raise _unreadable(text)
    return document


def _unreadable(text: str) -> InputError:
    shown = text if len(text) <= 40 else text[:40] + "…"
    return InputError(f"{shown!r} is no event id of ours", hint="send the id of an event as it came, or none")
