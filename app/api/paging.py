"""Lists in pages: ``?limit=&cursor=`` in, ``{"items": […], "next": "…" | null}`` out.

A cursor is opaque to clients: where the page before it ended, never how many items that were.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from app.errors import InputError

MOST: Final = 500
_CURSOR_CHARS: Final = 2_000
_NUMBERS_END: Final = 1 << 63


class PageQuery(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=MOST, description="at most so many items")
    cursor: str | None = Field(
        None, max_length=_CURSOR_CHARS, description="`next` of the page before; without it, the first page"
    )


def write_cursor(*parts: str | int) -> str:
    """What :func:`read_cursor` reads."""
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str | None, *kinds: type) -> list[Any] | None:
    """The parts of a cursor, each of its kind (``str`` or ``int``). Raises ``InputError`` for one that isn't ours."""
    if cursor is None:
        return None
    try:
        parts = json.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _no_cursor() from None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise _no_cursor()
    if any(isinstance(part, int) and abs(part) >= _NUMBERS_END for part in parts):
        raise _no_cursor()
    return parts


def _no_cursor() -> InputError:
    return InputError("the cursor is none of this list", hint="take `next` of the page before, as it is")


def page(items: Iterable[Any], after: str | None) -> dict[str, Any]:
    """A page; ``after`` is the cursor of the next one, ``None`` for the last."""
    return {"items": list(items), "next": after}
