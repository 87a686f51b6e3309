"""What a tool returned, as plain JSON of our own: the tool may change its objects later, the state stays.

One walk copies and checks. The encoder then measures the size and finds the text that UTF-8 can't hold,
faster than Python could.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import BaseModel

from app.errors import ToolFailed
from app.plan.model import Json

MAX_DEPTH: Final = 100
_MAX_INTEGER_BITS: Final = 14_000
"""Python refuses to write integers above 4,300 digits as text."""
_AS_IS: Final = frozenset({str, int, bool, type(None)})
_TEXTUAL: Final = (PurePath, UUID, Decimal)


class _UnfitError(Exception):
    """A value JSON can't hold; ``path`` grows from the inside out while the walk unwinds."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.path: list[str] = []


def to_json_value(result: Any, limit_bytes: int) -> Json:
    """A plain JSON copy of ``result``: ``None``, bool, int, float, str, list, dict, nothing else.

    Tuples become lists; dataclasses, pydantic models and mappings objects; enums their value; dates, paths,
    UUIDs and decimals text. Raises ``ToolFailed`` for what JSON can't hold (bytes, sets, NaN, infinity,
    lone surrogates, keys that aren't text, cycles, more than 100 levels) and for more than
    ``limit_bytes`` of compact JSON.
    """
    try:
        value = _Copier(limit_bytes).copy(result, 0)
        size = _encoded_size(value)
    except _UnfitError as unfit:
        where = "".join(reversed(unfit.path)).encode("utf-8", "backslashreplace").decode()
        raise ToolFailed(
            f"the result {unfit.problem}{f' at {where}' if where else ''}", hint=unfit.hint
        ) from None
    if size > limit_bytes:
        raise _too_large(limit_bytes, size)
    return value


def copy_json(value: Json) -> Json:
    """A copy of plain JSON that shares no list and no object with it."""
    if type(value) is dict:
        return {key: copy_json(item) for key, item in value.items()}
    if type(value) is list:
        return [copy_json(item) for item in value]
    return value


def _too_large(limit_bytes: int, size: int | None = None) -> ToolFailed:
    measured = "" if size is None else f" is {size:,} bytes of JSON,"
    return ToolFailed(
        f"the result{measured or ' is'} above the limit of {limit_bytes:,} bytes",
        hint="return less, or write it to a file and return its path",
    )


class _Copier:
    """Copies one result. ``left`` is how many values may still come: each takes a byte of JSON at least."""

    __slots__ = ("left", "limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.left = limit_bytes

    def copy(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind in _AS_IS:
            return value
        if kind is float:
            return _finite(value)
        if kind is dict:
            return self._object(value, depth)
        if kind is list or kind is tuple:
            return self._list(value, depth)
        return self._other(value, depth)

    def _enter(self, size: int, depth: int) -> None:
        # Shared parts are copied once a mention: a small nest of them can stand for more than memory holds.
        self.left -= size
        if self.left < 0:
            raise _too_large(self.limit_bytes)
        if depth >= MAX_DEPTH:
            raise _UnfitError(
                f"is nested deeper than {MAX_DEPTH} levels, or holds itself", "return a flatter value"
            )

    def _list(self, items: Any, depth: int) -> list[Json]:
        self._enter(len(items), depth)
        if _AS_IS.issuperset(map(type, items)):
            return list(items)
        copied: list[Json] = []
        append, copy, depth = copied.append, self.copy, depth + 1
        for item in items:
            if type(item) in _AS_IS:
                append(item)
                continue
            try:
                append(copy(item, depth))
            except _UnfitError as unfit:
                unfit.path.append(f"[{len(copied)}]")
                raise
        return copied

    def _object(self, items: Mapping[Any, Any], depth: int) -> dict[str, Json]:
        self._enter(len(items), depth)
        copied: dict[str, Json] = {}
        copy, depth = self.copy, depth + 1
        for key, item in items.items():
            if type(key) is not str:
                key = _key(key)
            if type(item) in _AS_IS:
                copied[key] = item
                continue
            try:
                copied[key] = copy(item, depth)
            except _UnfitError as unfit:
                unfit.path.append(f".{key}")
                raise
        return copied

    def _other(self, value: Any, depth: int) -> Json:
        """Everything that is not one of JSON's own types."""
        if isinstance(value, Enum):
            return self.copy(value.value, depth)
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        if isinstance(value, BaseModel):
            # Python mode: bytes and sets stay what they are, and are refused here.
            return self._object(value.model_dump(by_alias=True), depth)
        if is_dataclass(value) and not isinstance(value, type):
            return self._object({item.name: getattr(value, item.name) for item in fields(value)}, depth)
        return _scalar(value)


def _scalar(value: Any) -> Json:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _finite(float(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, _TEXTUAL):
        return str(value)
    raise _UnfitError(f"holds a value of type {type(value).__name__}, which JSON can't hold", _advice(value))


def _advice(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "return text: decode it, or encode it as base64"
    if isinstance(value, set | frozenset):
        return "return a sorted list"
    return "return text, numbers, true, false, null, lists and objects of them"


def _finite(number: float) -> float:
    if not isfinite(number):
        raise _UnfitError(f"holds {number}, which JSON can't hold", "return null or text instead")
    return number


def _key(key: Any) -> str:
    if isinstance(key, Enum) and isinstance(key.value, str):
        return str.__str__(key.value)
    if isinstance(key, str):
        return str.__str__(key)
    raise _UnfitError(f"holds the key {key!r}, which is not text", "make every key of an object text")


def _encoded_size(value: Json) -> int:
    """The length of compact JSON in bytes. Raises ``_UnfitError`` for what UTF-8 or JSON can't hold."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits are fine for JSON, lone surrogates are not: only a look at each tells.
        _check_leaves(value)
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _check_leaves(value: Json) -> None:
    if type(value) is str:
        _check_text(value)
    elif type(value) is int and value.bit_length() > _MAX_INTEGER_BITS:
        raise _UnfitError("holds an integer of more than 4,000 digits", "return it as text")
    children = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    for key, child in children:
        try:
            if type(key) is str:
                _check_text(key)
            _check_leaves(child)
        except _UnfitError as unfit:
            unfit.path.append(f"[{key}]" if type(key) is int else f".{key}")
            raise


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _UnfitError(
            f"holds text that UTF-8 can't hold (a lone surrogate, character {error.start})",
            'decode with errors="replace"',
        ) from None
