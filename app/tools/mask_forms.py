"""The forms in which a value may turn up in a text: as it is, escaped, quoted, encoded.

Each form is a regular expression, and the needles without one of which it can't match: looking for a few
plain texts is much faster than the expression. Repetitions in the expressions are bounded, and no part of a
text fits two ways of writing a character: so no text makes them slow.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

_SLASHES: Final = r"\\{0,15}"
_SOME_SLASHES: Final = r"\\{1,15}"
"""Backslashes before an escaped character: 1, 3, 7 or 15, as text is escaped once, twice, three or four times."""
_SPACE: Final = rf"(?:\s|{_SOME_SLASHES}[nrtfv]|%0[9-Da-d]|%20|\+|&#x?[0-9aAdD]{{1,2}};)"
_BREAK: Final = rf"(?:\s|{_SOME_SLASHES}[rn]|%0[AaDd]){{0,4}}"
_PIECES: Final = re.compile(r"\s+|\\+|'+|\"+|[A-Za-z0-9]+|.", re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z0-9]+")
_WINDOW: Final = 16
_LONG: Final = 256
_END: Final = 64
"""Of what is encoded and longer than ``_LONG`` only so much is compared at both ends: an expression takes a
while to compile."""
_PART: Final = 12
_LONGEST_PART: Final = 72
_DOTS_FOLLOW: Final = r"(?=\.{3}|…)"
_DOTS_PRECEDE: Final = r"(?:(?<=\.{3})|(?<=…))"
_SHELL_QUOTE: Final = r"""'(?:"'"|\\')'"""
"""An apostrophe between apostrophes."""
_BASE64_SIGNS: Final = {
    "+": r"(?:[+-]|%2[Bb])",
    "/": rf"(?:{_SLASHES}/|_|%2[Ff])",
}
_ANY_BASE64_SIGN: Final = rf"(?:[A-Za-z0-9+/_-]|%2[BbFf]|{_SOME_SLASHES}/)"


class Form(NamedTuple):
    """``needles``: a text that ``pattern`` matches holds one of them at least."""

    pattern: str
    needles: tuple[str, ...]


def forms_of(value: str) -> Iterator[Form]:
    """Every form of a value that has no space around it."""
    yield Form(_escaped(value), (_longest_plain(value),))
    for data in dict.fromkeys(variant.encode() for variant in variants(value)):
        for skipped in range(3):
            yield _in_base64(data, skipped)
    yield from _shortened(value)
    digits = value.encode().hex()
    yield Form(_in_hexadecimal(digits), (digits[:_WINDOW], digits[:_WINDOW].upper()))


def variants(value: str) -> Iterator[str]:
    """A value, and what is usually done to it before it becomes a part of something else."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)


def _longest_plain(text: str) -> str:
    """The longest stretch that no way of quoting changes; empty where there is none: then any text may match."""
    return max(_PLAIN.findall(text), key=len, default="")


def _escaped(value: str) -> str:
    """As it is, and with each character that is no letter or digit quoted in any of the usual ways."""
    parts: list[str] = []
    slashes = False
    for piece in _PIECES.findall(value):
        parts.append(_piece(piece, behind_slashes=slashes))
        slashes = piece[0] == "\\"
    return "".join(parts)


def _piece(piece: str, *, behind_slashes: bool) -> str:
    """``behind_slashes``: what stands before takes all backslashes, those that quote this piece as well."""
    if _PLAIN.fullmatch(piece):
        return piece
    count = len(piece)
    if piece[0] == "\\":
        return rf"(?:\\{{{count},{16 * count + 15}}}|(?:%5[Cc]|&#92;){{{count}}})"
    if piece.isspace():  # lines are joined, and ends of lines become two characters
        first = _SPACE.replace(_SOME_SLASHES, _SLASHES, 1) if behind_slashes else _SPACE
        return rf"{first}{_SPACE}{{0,{4 * count - 1}}}"
    ways = f"(?:{'|'.join(dict.fromkeys(_ways(piece[0], behind_slashes)))})"
    if piece[0] not in "'\"":
        return ways
    more = f"(?:{'|'.join(dict.fromkeys(_ways(piece[0], False)))})"
    # SQL and CSV write them twice.
    return (
        f"(?:{ways}{more}{{{count - 1}}}|{piece[0]}{{{count + 1},{2 * count}}}|(?:{_SHELL_QUOTE}){{{count}}})"
    )


def _ways(character: str, behind_slashes: bool) -> Iterator[str]:
    """One character, quoted for JSON, for a URL, for HTML, for Python."""
    data, number = character.encode(), ord(character)
    any_slashes, some_slashes = ("", "") if behind_slashes else (_SLASHES, _SOME_SLASHES)
    yield any_slashes + re.escape(character)
    yield "".join(f"%{_any_case(f'{byte:02x}')}" for byte in data)
    if escape(character) != character:
        yield re.escape(escape(character))
    yield rf"&#(?:{number}|[xX]0?{_any_case(f'{number:x}')});"
    yield some_slashes + _SOME_SLASHES.join(f"x{_any_case(f'{byte:02x}')}" for byte in data)
    if number < 256:
        yield rf"{some_slashes}x{_any_case(f'{number:02x}')}"
    units = character.encode("utf-16-be")
    pairs = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    yield some_slashes + _SOME_SLASHES.join(f"u{_any_case(pair)}" for pair in pairs)
    yield rf"{some_slashes}U{_any_case(f'{number:08x}')}"


def _cut(text: str) -> tuple[str, str, str]:
    return text[:_END], text[_END:-_END], text[-_END:]


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _shortened(value: str) -> Iterator[Form]:
    """The beginning before dots, and the end behind dots: what messages show of a long value."""
    if len(value) < 2 * _PART:
        return
    head, tail = value[:_PART], value[-_PART:]
    more = ""
    for character in reversed(value[_PART:_LONGEST_PART]):
        more = f"(?:{re.escape(character)}{more})?"
    yield Form(re.escape(head) + more + _DOTS_FOLLOW, (_longest_plain(head),))
    more = ""
    for character in value[-_LONGEST_PART:-_PART]:
        more = f"(?:{more}{re.escape(character)})?"
    yield Form(_DOTS_PRECEDE + more + re.escape(tail), (_longest_plain(tail),))


def _in_hexadecimal(digits: str) -> str:
    if len(digits) > _LONG:
        head, middle, tail = _cut(digits)
        return rf"{_any_case(head)}[0-9a-fA-F]{{{len(middle)}}}{_any_case(tail)}"
    return _any_case(digits)


def _in_base64(data: bytes, skipped: int) -> Form:
    """The value within base64, ``skipped`` bytes (modulo three) behind the beginning of what was encoded.

    Only what the value alone decides: the characters at its ends depend on its neighbours too.
    """
    encoded = b64encode(bytes(skipped) + data).decode()
    first, last = (8 * skipped + 5) // 6, 8 * (skipped + len(data)) // 6
    core = encoded[first:last]
    rest = r"(?:[\w+/-]?(?:=|%3[Dd]){1,2})?" if (skipped + len(data)) % 3 else ""
    return Form(_base64_signs(core) + rest, _base64_needles(core))


def _base64_signs(core: str) -> str:
    if len(core) > _LONG:
        head, middle, tail = _cut(core)
        between = rf"(?:{_BREAK}{_ANY_BASE64_SIGN}){{{len(middle)}}}{_BREAK}"
        return _base64_signs(head) + between + _base64_signs(tail)
    return _BREAK.join(_BASE64_SIGNS.get(sign, sign) for sign in core)


def _base64_needles(core: str) -> tuple[str, ...]:
    """From two halves of its beginning: a line may end in one of them, not in both."""
    window = core[:_WINDOW]
    half = len(window) // 2
    return tuple(_longest_plain(part) for part in (window[:half], window[half:]))
