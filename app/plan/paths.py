"""Paths into a value: ``row.items[0]["odd key"]`` ↔ ``("row", "items", 0, "odd key")``, and following them.

A key stands after a dot where it holds none of ``.[]{}"'$`` and no space, otherwise quoted in brackets. A
negative index counts from the end of the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, TypeAlias

from app.errors import InputError, ReferenceFailed
from app.plan.model import Json
from app.plan.values import shorten, type_name

Path: TypeAlias = tuple[str | int, ...]

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
"""The name of a variable."""

_KEY: Final = r"""[^\s.\[\]{}"'$]+"""
_INDEX: Final = r"""\[\s*(?:(?P<index>-?[0-9]{1,15})|"(?P<double>[^"]*)"|'(?P<single>[^']*)')\s*\]"""
_PART: Final = re.compile(rf"\.(?P<key>{_KEY})|{_INDEX}")
_PLAIN_KEY: Final = re.compile(_KEY)
_SHOWN: Final = 10
_KEY_TYPES: Final[dict[type, type]] = {list: int, dict: str}


class PathSyntaxError(InputError):
    """``text`` is no path; ``position`` is the offset of the first character that doesn't fit."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(f"{text!r} is no path", hint="a path looks like name.key[0].key")
        self.text = text
        self.position = position


def parse_path(text: str) -> Path:
    """The keys and indices of ``text``, outermost first; ``""`` is ``()``, the whole value.

    Raises :class:`PathSyntaxError`.
    """
    first = _PLAIN_KEY.match(text)
    if first is None and text.startswith("."):
        raise PathSyntaxError(text, 0)
    start = first.end() if first else 0
    head: Path = (first.group(),) if first else ()
    rest, end = scan_parts(text, start)
    if end < len(text):
        raise PathSyntaxError(text, end)
    return head + rest


def scan_parts(text: str, start: int) -> tuple[Path, int]:
    """The parts ``.key`` and ``[index]`` that follow each other from ``start``, and where they end."""
    parts: list[str | int] = []
    position = start
    while match := _PART.match(text, position):
        parts.append(_part(match))
        position = match.end()
    return tuple(parts), position


def _part(match: re.Match[str]) -> str | int:
    if match["index"] is not None:
        return int(match["index"])
    return next(text for text in (match["key"], match["double"], match["single"]) if text is not None)


def format_path(path: Iterable[str | int]) -> str:
    """The text of a path, for messages and plans."""
    text = "".join(map(_format_part, path))
    return text.removeprefix(".")


def _format_part(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if _PLAIN_KEY.fullmatch(part):
        return f".{part}"
    return f'["{part}"]' if '"' not in part else f"['{part}']"


def follow(value: Json, path: Path, what: str) -> Json:
    """What lies at ``path`` within ``value``. ``what`` names the reference in the error.

    Raises ``ReferenceFailed`` where there is nothing.
    """
    for part in path:
        value = pick(value, part, what)
    return value


def pick(value: Json, part: Json, what: str) -> Json:
    """One part of a value: the item of a list, the member of an object.

    Raises ``ReferenceFailed`` where there is none.
    """
    try:
        if type(part) is _KEY_TYPES.get(type(value)):
            return value[part]
    except LookupError:
        pass
    raise no_part(value, part, what)


def no_part(value: Json, part: Json, what: str) -> ReferenceFailed:
    """The error for a key or an index that ``value`` doesn't have."""
    if type(value) is dict and type(part) is str:
        return ReferenceFailed(f"{what}: no key {shorten(part)!r}; {_listing('keys', value, part)}")
    if type(value) in (list, str) and type(part) is int:
        noun = "item" if type(value) is list else "character"
        return ReferenceFailed(f"{what}: no index {part}; there {_count(len(value), noun)}")
    return ReferenceFailed(
        f"{what}: {type_name(value)} has no {_describe(part)}",
        hint="lists have indices, objects have keys, other values have no parts",
    )


def missing_variable(name: str, variables: Mapping[str, Json], what: str) -> ReferenceFailed:
    """The error for a variable that is not set. ``what`` is the reference as the plan spells it."""
    return ReferenceFailed(f"{what}: variable {name!r} is not set; {_listing('variables', variables, name)}")


def _listing(noun: str, names: Iterable[str], wanted: str) -> str:
    """At most ten names, nearest first; sorted, so that a message is the same in every run."""
    ordered = sorted(names)
    if not ordered:
        return f"there are no {noun}"
    near = get_close_matches(wanted, ordered, n=3) if len(ordered) <= 1000 else []
    others = (name for name in ordered[: _SHOWN + len(near)] if name not in near)
    chosen = [*near, *others][:_SHOWN]
    more = len(ordered) - len(chosen)
    shown = ", ".join(shorten(name, 60) for name in chosen)
    return f"the {noun} are {shown}" + (f" and {more} more" if more else "")


def _describe(part: Json) -> str:
    if type(part) is int:
        return f"index {part}"
    return f"key {shorten(part)!r}" if type(part) is str else f"part of the type {type_name(part)}"


def _count(number: int, noun: str) -> str:
    return f"is 1 {noun}" if number == 1 else f"are {number} {noun}s"
