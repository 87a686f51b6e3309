"""A tool's version where its author gave none: a hash of the function, the same in every process."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from hashlib import sha256
from types import CodeType
from typing import Any, Final

_DIGITS: Final = 12


def function_version(function: Callable[..., Any]) -> str:
    """12 hex digits over the function's source text, its decorators included; over its bytecode where
    there is no source. What the function calls is not seen: that is what ``version=`` is for."""
    target = inspect.unwrap(function)
    target = getattr(target, "func", target)
    try:
        text = textwrap.dedent(inspect.getsource(target))
    except (OSError, TypeError):
        code = getattr(target, "__code__", None)
        text = repr(_stable(code)) if code else f"{target.__module__}.{type(target).__qualname__}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _stable(value: Any) -> Any:
    """Bytecode without memory addresses, file names, or a set's accidental order."""
    if isinstance(value, CodeType):
        return (value.co_code.hex(), value.co_names, value.co_varnames, _stable(value.co_consts))
    if isinstance(value, frozenset):
        return sorted(map(repr, map(_stable, value)))
    if isinstance(value, tuple):
        return tuple(map(_stable, value))
    return repr(value)
