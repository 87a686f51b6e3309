"""JSON values: what their types are called, and how they are written as text."""

from __future__ import annotations

import json
from typing import Final

from app.plan.model import Json

MAX_INT_BITS: Final = 14_000
"""Integers stay below 4,300 decimal digits, beyond which Python refuses to write them."""

_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, check_circular=False).encode


def type_name(value: Json) -> str:
    """What a person calls the value's type: ``a list``, ``text``, …"""
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}, which JSON doesn't know")


def is_number(value: Json) -> bool:
    """Whether it is a JSON number; Python counts booleans among the integers, JSON doesn't."""
    return type(value) is int or type(value) is float


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold the text: it has no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_json_text(value: Json) -> str:
    """The value on one line of JSON: ``{"a": [1, 2]}``.

    Keys are sorted, because their order is no part of the value: a state read back from the history has them
    sorted, and a resumed run must render what the first one did. Raises ``ValueError`` or ``RecursionError``
    for what JSON can't hold or what is nested too deeply.
    """
    return _encode(value)


def shorten(text: str, limit: int = 80) -> str:
    """``text`` on one line of at most ``limit`` characters, for messages."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"
