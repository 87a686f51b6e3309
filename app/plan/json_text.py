"""Strict JSON: what Python's decoder lets pass and JSON or the history can't hold, with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from app.errors import InputError
from app.plan.model import Json
from app.plan.paths import format_path
from app.plan.problems import Problem
from app.plan.values import MAX_INT_BITS, is_encodable, shorten

MAX_DEPTH: Final = 100
"""Levels of lists and objects in a plan document."""

_TOO_DEEP: Final = "nested too deeply"
_DEPTH_HINT: Final = f"at most {MAX_DEPTH} levels of lists and objects"

_SURROGATE: Final = ("the text holds a lone surrogate", "write the character itself")
_LONG: Final = ("the number is too long", f"integers have at most {MAX_INT_BITS} bits")
_INFINITE: Final = ("the number is not finite", "JSON has no NaN or infinity; numbers end at about 1.8e308")

_Place: TypeAlias = "tuple[Any, str | int] | None"
"""A linked list of keys from the innermost outwards: cheap to extend, written out only for a problem."""


class _Repeating(dict[str, Json]):
    """An object whose text has a key twice."""

    key: str


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    repeating = _Repeating(result)
    seen: set[str] = set()
    repeating.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return repeating


_CONTAINERS: Final = frozenset({list, dict, _Repeating})
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)


class JsonTextError(InputError):
    """The text holds no JSON, or not what is looked for.

    ``place`` is ``line 3 column 7`` where that is known, ``end`` the offset the decoder came to, or ``None``
    where it makes no sense to look further.
    """

    def __init__(self, message: str, hint: str, *, place: str = "", end: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.place = place
        self.end = end


def decode_json(text: str, start: int) -> tuple[Json, int]:
    """The JSON value at ``start`` and where it ends. To be checked with :func:`find_problems`.

    Raises :class:`JsonTextError`.
    """
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        message = f"not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise JsonTextError(
            message, "check commas, quotes and brackets", place=place, end=error.pos
        ) from None
    except RecursionError:
        raise JsonTextError(_TOO_DEEP, _DEPTH_HINT) from None
    except ValueError:
        raise JsonTextError("a number of more than 4,300 digits", "shorten it, or make it a text") from None


def find_problems(document: Json, limit: int = 100) -> list[Problem]:
    """What in ``document`` JSON can't hold, or is nested too deeply: the first ``limit`` problems.

    Linear, no recursion.
    """
    problems: list[Problem] = []
    _check_scalar(document, None, problems)
    level: list[tuple[Json, _Place]] = [(document, None)]
    for _ in range(MAX_DEPTH):
        deeper: list[tuple[Json, _Place]] = []
        for container, place in level:
            _check_entries(container, place, deeper, problems)
            if len(problems) >= limit:
                return problems[:limit]
        level = deeper
    if level:
        problems.append(Problem("", None, _TOO_DEEP, _DEPTH_HINT))
    return problems


def _check_entries(
    container: Json, place: _Place, deeper: list[tuple[Json, _Place]], problems: list[Problem]
) -> None:
    """Look at one list or object, apart from the containers in it: they are put into ``deeper``."""
    entries: Iterable[tuple[Any, Json]] = ()
    if isinstance(container, list):
        entries = enumerate(container)
    elif isinstance(container, dict):
        entries = container.items()
        if _has_odd_keys(container):
            _check_keys(container, place, problems)
    for key, entry in entries:
        kind = type(entry)
        if kind in _CONTAINERS:
            deeper.append((entry, (place, key)))
        elif not (kind is str and entry.isascii()):
            _check_scalar(entry, (place, key), problems)


def _has_odd_keys(value: dict[Any, Json]) -> bool:
    """Whether the keys need a closer look. Joining them asks the question at once for all of them."""
    try:
        return type(value) is _Repeating or not "".join(value).isascii()
    except TypeError:
        return True


def _check_keys(value: dict[Any, Json], place: _Place, problems: list[Problem]) -> None:
    if isinstance(value, _Repeating):
        message = f"key {shorten(value.key)!r} is there twice"
        problems.append(_problem(place, message, "give each key of an object once"))
    for key in value:
        if type(key) is not str:
            problems.append(
                _problem(place, f"key {shorten(repr(key))} is no text", "keys of objects are texts")
            )
        elif not is_encodable(key):
            problems.append(_problem(place, "a key holds a lone surrogate", "write the character itself"))


def _check_scalar(value: Json, place: _Place, problems: list[Problem]) -> None:
    fault = _scalar_fault(value)
    if fault is not None:
        problems.append(_problem(place, *fault))


def _scalar_fault(value: Json) -> tuple[str, str] | None:
    """What is wrong with the value and what would be right."""
    kind = type(value)
    if kind is str:
        return None if is_encodable(value) else _SURROGATE
    if kind is int:
        return None if value.bit_length() <= MAX_INT_BITS else _LONG
    if kind is float:
        return None if math.isfinite(value) else _INFINITE
    if value is None or kind is bool or kind in _CONTAINERS:
        return None
    return f"a {kind.__name__} is no JSON", "null, booleans, numbers, texts, lists and objects are"


def _problem(place: _Place, message: str, hint: str) -> Problem:
    parts: list[str | int] = []
    while place is not None:
        place, key = place
        parts.append(key)
    return Problem(
        format_path(part if isinstance(part, int) else str(part) for part in reversed(parts)),
        None,
        message,
        hint,
    )
