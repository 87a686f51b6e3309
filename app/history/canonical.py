"""Canonical JSON: one text for one value, byte for byte. Specified in ``docs/history-format.md``.

Sorted keys, two-space indent, UTF-8 unescaped, a final newline. orjson writes the common values; the few
whose spelling it does not share with the specification (floats that need an exponent, integers beyond 64
bits) go through the standard library's encoder, which is the reference.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import orjson

from app.errors import InvalidValue

MAX_DEPTH: Final = 100
"""Lists and objects within each other that a value may have. Deeper ones are refused."""

RECORD_DEPTH: Final = MAX_DEPTH + 4
"""What holds values may have that many: a record, its field, a list of items, and one to spare."""

MAX_INTEGER_DIGITS: Final = 4_300
"""As many as Python reads and prints."""

TOO_DEEP: Final = f"a value nested deeper than {MAX_DEPTH} levels"

_MAX_INTEGER: Final = 10**MAX_INTEGER_DIGITS
_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_MIN_64: Final = -(2**63)
_MAX_64: Final = 2**63 - 1


def canonical(value: Any, max_depth: int = MAX_DEPTH) -> bytes:
    """The canonical text of a JSON value. Raises ``InvalidValue`` for what JSON can't hold."""
    try:
        if type(value) is str or _is_plain(value, max_depth):
            return orjson.dumps(value, None, _OPTIONS)
        return _reference(value)
    except (_Unholdable, orjson.JSONEncodeError, UnicodeEncodeError):
        _refuse(value, "$", max_depth)
        raise


class _Unholdable(Exception):
    """Internal: the value can't be JSON; :func:`_refuse` finds where and says why."""


def _reference(value: Any) -> bytes:
    """The specification in one call: slow and exact."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True)
    return text.encode() + b"\n"


def _is_plain(value: Any, levels: int) -> bool:
    """Whether orjson spells the value as specified. Raises ``_Unholdable`` where nothing may spell it."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return _MIN_64 <= value <= _MAX_64 or _is_large_integer(value)
    if kind is float:
        return _is_plain_float(value)
    if levels <= 0:
        raise _Unholdable
    plain = True
    if kind is list:
        for item in value:
            if type(item) is not str and not _is_plain(item, levels - 1):
                plain = False
        return plain
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise _Unholdable
            if type(item) is not str and not _is_plain(item, levels - 1):
                plain = False
        return plain
    raise _Unholdable


def _is_plain_float(value: float) -> bool:
    if not math.isfinite(value):
        raise _Unholdable
    return value == 0 or 1e-4 <= abs(value) < 1e16


def _is_large_integer(value: int) -> bool:
    """Never plain: false, or ``_Unholdable``."""
    if not -_MAX_INTEGER < value < _MAX_INTEGER:
        raise _Unholdable
    return False


def _refuse(value: Any, path: str, levels: int) -> None:
    """Walk to the first thing that JSON can't hold and raise ``InvalidValue`` that says what and where."""
    kind = type(value)
    if kind not in (list, dict):
        _refuse_scalar(value, path)
    elif levels <= 0:
        raise InvalidValue(f"{TOO_DEEP} at {path[:80]}…")
    elif kind is list:
        for index, item in enumerate(value):
            _refuse(item, f"{path}[{index}]", levels - 1)
    else:
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidValue(f"an object key that is {type(key).__name__}, not text", path=path)
            _refuse_surrogates(key, f"{path} (a key)")
            _refuse(item, f"{path}.{key}", levels - 1)


def _refuse_scalar(value: Any, path: str) -> None:
    kind = type(value)
    if kind is str:
        _refuse_surrogates(value, path)
    elif kind is int and not -_MAX_INTEGER < value < _MAX_INTEGER:
        raise InvalidValue(f"an integer of more than {MAX_INTEGER_DIGITS} digits", path=path)
    elif kind is float and not math.isfinite(value):
        raise InvalidValue(f"the number {value}, which JSON can't hold", path=path)
    elif value is not None and kind not in (str, int, float, bool):
        raise InvalidValue(f"a value of type {kind.__name__}, which JSON can't hold", path=path)


def _refuse_surrogates(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue("text with a lone surrogate, which UTF-8 can't hold", path=path) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parse_canonical(data: bytes) -> Any:
    """Read what :func:`canonical` wrote. Raises ``ValueError`` for what it can't have written."""
    # The standard library keeps integers of any size; orjson would turn large ones into floats.
    # Decoded here, as it would also take UTF-16 and, in UTF-8, lone surrogates.
    return json.loads(data.decode(), parse_constant=_refuse_constant)
