"""Git's framing on the wire: lines with their length ahead, and side bands of pack, progress and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, Literal, TypeAlias

from app.errors import InputError

FLUSH: Final = b"0000"
DELIMITER: Final = b"0001"

PACK_BAND: Final = 1
TEXT_BAND: Final = 2
_BAND_BYTES: Final = 65_515

Special: TypeAlias = Literal["flush", "delimiter"]


def pkt_line(data: bytes) -> bytes:
    """One line, its length ahead."""
    return b"%04x%s" % (len(data) + 4, data)


def in_band(band: int, data: bytes) -> Iterator[bytes]:
    """Data of any length on a side band."""
    for start in range(0, len(data), _BAND_BYTES):
        yield pkt_line(bytes((band,)) + data[start : start + _BAND_BYTES])


def said(lines: Iterable[str]) -> bytes:
    """Lines for the person at the client's terminal, where they stand behind ``remote:``."""
    # What a terminal obeys is not passed on: messages quote what was sent.
    clean = ("".join(char if char.isprintable() else "?" for char in line) for line in lines)
    return b"".join(b"".join(in_band(TEXT_BAND, f"{line}\n".encode(errors="replace"))) for line in clean)


def read_pkt(stream: BinaryIO) -> bytes | Special | None:
    """The next line without its end; ``None`` at the end of the stream. Raises ``InputError``."""
    head = _read_all(stream, 4)
    if not head:
        return None
    try:
        length = int(head, 16) if len(head) == 4 else -1
    except ValueError:
        length = -1
    if length == 0:
        return "flush"
    if length == 1:
        return "delimiter"
    if length < 4:
        raise InputError(f"not a line of git's protocol: {head!r}")
    data = _read_all(stream, length - 4)
    if len(data) != length - 4:
        raise InputError("the request was cut off")
    return data.removesuffix(b"\n")


def _read_all(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
