"""Text as every database can hold it."""

from __future__ import annotations


def storable(text: str) -> str:
    """``text`` with a replacement character for what PostgreSQL (NUL) or any driver (surrogates) refuses."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def storable_or_none(text: str | None) -> str | None:
    """The same for a text that may be missing."""
    return None if text is None else storable(text)
