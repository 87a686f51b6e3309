"""How a plan names a secret: a text that is exactly ``secret:NAME``. Its value is no part of any plan."""

from __future__ import annotations

import re
from typing import Final

from app.plan.model import Json

MARK: Final = "secret:"
_NAMELESS: Final = frozenset({int, float, bool, type(None)})
NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
"""A secret's name. Capitals only: ``secret:`` with anything else behind it is ordinary text."""


def secret_name(text: str) -> str | None:
    """The name in a text that is one whole ``secret:NAME``; ``None`` for every other text."""
    if not text.startswith(MARK):
        return None
    found = NAME.fullmatch(text, len(MARK))
    return found[0] if found else None


def names_secret(value: Json) -> bool:
    """Whether a secret is named anywhere in the value. Keys of objects name none."""
    kind = type(value)
    if kind is str:
        return secret_name(value) is not None
    if kind is list:
        # Every argument of every call comes through here: long lists of numbers are to cost next to nothing.
        return not _NAMELESS.issuperset(map(type, value)) and any(map(names_secret, value))
    return kind is dict and any(map(names_secret, value.values()))


def named_secrets(value: Json) -> frozenset[str]:
    """The names that stand anywhere in the value."""
    if isinstance(value, str):
        name = secret_name(value)
        return frozenset() if name is None else frozenset({name})
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return frozenset().union(*map(named_secrets, members))
