"""File names for keys: readable where possible, reversible always, safe for git and for file systems.

A name is escaped byte by byte as ``%`` and two lower-case hex digits. Specified in ``docs/history-format.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MAX_NAME_BYTES: Final = 200
"""Longest escaped name, its suffix apart: most file systems end at 255 bytes."""

_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+ ()\[\]{}!#$&';^~-]*\Z")
_UNSAFE_BYTES: Final = frozenset(range(0x20)) | {0x7F} | frozenset(b'%/\\:*?"<>|@`')
_DEVICES: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)")


def escape_name(name: str) -> str:
    """The file name (without suffix) of a key. ``""`` becomes ``%``."""
    if _SAFE.match(name) and not _DEVICES.match(name):
        return name
    if name == "":
        return "%"
    parts = [f"%{byte:02x}" if byte in _UNSAFE_BYTES else chr(byte) for byte in name.encode()]
    if name[0] in ". " or _DEVICES.match(name):
        parts[0] = f"%{name.encode()[0]:02x}"
    return "".join(parts).encode("latin-1").decode()


def mask_capitals(name: str) -> str:
    """The file name of a variable that differs from another in case alone: lower case, and which were capitals.

    The mask is a hexadecimal number; its lowest bit is the first character. Never longer than 162 bytes.
    """
    mask = sum(1 << place for place, char in enumerate(name) if "A" <= char <= "Z")
    return f"{name.lower()}%={mask:x}" if mask else escape_name(name)


def unescape_name(escaped: str) -> str:
    """The key that :func:`escape_name` or :func:`mask_capitals` was given. Raises ``ValueError`` for others."""
    if "%" not in escaped:
        return escaped
    if escaped == "%":
        return ""
    name, masked, mask = escaped.rpartition("%=")
    if masked:
        bits = int(mask, 16)
        return "".join(char.upper() if bits >> place & 1 else char for place, char in enumerate(name))
    raw = re.sub(rb"%([0-9a-f]{2})", lambda match: bytes((int(match[1], 16),)), escaped.encode())
    return raw.decode()


def fold(name: str) -> str:
    """What a file system that ignores case and normalises text makes of a name."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded)


def fits_folder(keys: Iterable[str]) -> bool:
    """Whether every key can be a file of one folder: none too long, no two that a file system confuses."""
    folded: set[str] = set()
    count = 0
    for key in keys:
        count += 1
        if len(escape_name(key).encode()) > MAX_NAME_BYTES:
            return False
        folded.add(fold(key))
    return len(folded) == count
