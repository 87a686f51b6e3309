"""Looks for a value in whatever was written: as it is, quoted, escaped, in base64 or in hexadecimal."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote

WINDOW = 10
"""So many characters in a row are no accident."""


def forms(value: str) -> Iterator[str]:
    """The value in forms of which no part may be found. Escapes change a few characters, never ten in a row."""
    yield value
    yield quote(value, safe="")
    yield value.encode().hex()
    for skipped in range(3):
        behind = bytes(skipped) + value.encode()
        # Characters that the value's neighbours have a part in say nothing.
        yield b64encode(behind).decode()[2 * skipped : -4]
        yield urlsafe_b64encode(behind).decode()[2 * skipped : -4]


def trace_of(value: str, written: str | bytes) -> str | None:
    """A part of the value that was written; ``None`` where there is none."""
    text = written.decode("utf-8", "replace") if isinstance(written, bytes) else written
    for form in forms(value.strip()):
        for at in range(len(form) - WINDOW + 1):
            part = form[at : at + WINDOW]
            if part.strip("-") and part in text:
                return part
    return None
