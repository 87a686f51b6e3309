"""The history format a second time, slowly, from ``docs/history-format.md`` alone; nothing of app is used.

A folder is a dictionary of file names to bytes or folders; only :func:`object_ids` knows git's objects.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha1
from typing import Any

Folder = dict[str, Any]

LONG_BYTES = 16_384
LEAF_BYTES = 4_096
FOLDER_KEYS = 128
NODE_CHILDREN = 32
NAME_BYTES = 200
MAX_DEPTH = 100
MAX_DIGITS = 4_300

_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x20)}
_ESCAPES |= {ord(char): "\\" + letter for char, letter in zip('"\\\b\t\n\f\r', '"\\btnfr', strict=True)}
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.DOTALL)


# Canonical JSON


def canonical(value: Any) -> bytes:
    """The canonical text of a value. Raises ``ValueError`` where the format refuses it."""
    return (_text(value, 0) + "\n").encode()


def _text(value: Any, depth: int) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise ValueError("too many digits")
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if depth == MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, list):
        return _block("[", [_text(item, depth + 1) for item in value], "]", depth)
    if not all(isinstance(key, str) for key in value):
        raise ValueError("a key is not text")
    members = [f"{_quoted(key)}: {_text(value[key], depth + 1)}" for key in sorted(value)]
    return _block("{", members, "}", depth)


def _block(start: str, members: list[str], end: str, depth: int) -> str:
    if not members:
        return start + end
    inner = "\n" + "  " * (depth + 1)
    return start + inner + ("," + inner).join(members) + "\n" + "  " * depth + end


def _quoted(text: str) -> str:
    text.encode()  # a lone surrogate is a ValueError
    return '"' + text.translate(_ESCAPES) + '"'


def _float(number: float) -> str:
    # repr finds the fewest digits; how they are laid out is done here.
    if number != number or abs(number) == float("inf"):
        raise ValueError("not a number of JSON")
    sign, digits, power = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(power, int)
    text, minus = "".join(map(str, digits)), "-" * sign
    if number == 0:
        return minus + "0.0"
    exponent = len(text) - 1 + power
    if not -4 <= exponent < 16:
        fraction = "." + text[1:] if text[1:] else ""
        return f"{minus}{text[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if power >= 0:
        return f"{minus}{text}{'0' * power}.0"
    text = text.rjust(1 - power, "0")
    return f"{minus}{text[:power]}.{text[power:]}"


# File names


def escape(key: str) -> str:
    """The name of a key, without its suffix."""
    if not key:
        return "%"
    device = _DEVICE.fullmatch(key) is not None
    return "".join(
        _percent(char) if _stumbles(char, place == 0, device) else char for place, char in enumerate(key)
    )


def _stumbles(char: str, first: bool, device: bool) -> bool:
    if char < " " or char == "\x7f" or char in '%/\\:*?"<>|@`':
        return True
    return first and (device or char in ". ")


def _percent(char: str) -> str:
    return "".join(f"%{byte:02x}" for byte in char.encode())


def names_of_variables(keys: Sequence[str]) -> dict[str, str]:
    """The names of variables: of those equal but for case, the ones with capitals are masked."""
    lower = [key.lower() for key in keys]
    return {key: _masked(key) if lower.count(key.lower()) > 1 else escape(key) for key in keys}


def _masked(key: str) -> str:
    capitals = "".join("1" if "A" <= char <= "Z" else "0" for char in reversed(key))
    return escape(key) if "1" not in capitals else f"{key.lower()}%={int(capitals, 2):x}"


def fit(keys: Sequence[str]) -> bool:
    """Whether an object's keys can be file names."""
    folded = {unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold()) for key in keys}
    return len(folded) == len(keys) and all(len(escape(key).encode()) <= NAME_BYTES for key in keys)


# Values


def lay(value: Any) -> bytes | Folder:
    """A value as a blob, or as a folder where it is long."""
    text = canonical(value)
    if len(text) > LONG_BYTES and isinstance(value, list):
        return long_list(value)
    if len(text) > LONG_BYTES and isinstance(value, dict) and fit(list(value)):
        return keys_folder(value, {key: escape(key) for key in value})
    return text


def put(folder: Folder, name: str, value: Any) -> None:
    """Lay a value into a folder under its name, with the suffix it needs."""
    content = lay(value)
    folder[name + (".d" if isinstance(content, dict) else ".json")] = content


def keys_folder(values: Mapping[str, Any], names: Mapping[str, str], level: int = 0) -> Folder:
    """The folder of an object's keys or of the variables, fanned out where there are many."""
    folder: Folder = {}
    if len(values) <= FOLDER_KEYS:
        for key, value in values.items():
            put(folder, names[key], value)
        return folder
    for digit in "0123456789abcdef":
        inside = {key: value for key, value in values.items() if _hash(key)[level] == digit}
        if inside:
            folder["_" + digit] = keys_folder(inside, names, level + 1)
    return folder


def _hash(key: str) -> str:
    return sha1(key.encode()).hexdigest()


def long_list(items: Sequence[Any]) -> Folder:
    """The topmost node of a list in its long form."""
    level: list[tuple[str, Any]] = _leaves(items)
    while True:
        nodes = [_node(level[at : at + NODE_CHILDREN]) for at in range(0, len(level), NODE_CHILDREN)]
        if len(nodes) == 1:
            return nodes[0]
        level = [("", node) for node in nodes]


def _leaves(items: Sequence[Any]) -> list[tuple[str, Any]]:
    """Suffix and content of every leaf."""
    leaves: list[tuple[str, Any]] = []
    pack: list[Any] = []
    filled = 0
    for item in items:
        content = lay(item)
        size = len(canonical([item])) - 5
        if pack and (isinstance(content, dict) or filled + size > LEAF_BYTES):
            leaves.append((".json", canonical(pack)))
            pack, filled = [], 0
        if isinstance(content, dict):
            leaves.append((".d", content))
        else:
            pack.append(item)
            filled += size
    return [*leaves, (".json", canonical(pack))] if pack else leaves


def _node(children: Sequence[tuple[str, Any]]) -> Folder:
    return {f"@{place:02d}{suffix}": child for place, (suffix, child) in enumerate(children)}


# Objects of git


def object_ids(folder: Folder, seen: dict[str, bytes]) -> str:
    """The id of a folder's tree; ``seen`` takes the bytes (git's header included) of all objects in it."""
    rows = []
    for name, content in folder.items():
        is_tree = isinstance(content, dict)
        oid = object_ids(content, seen) if is_tree else _object("blob", content, seen)
        mode = b"40000" if is_tree else b"100644"
        rows.append(
            (name.encode() + b"/" * is_tree, mode + b" " + name.encode() + b"\0" + bytes.fromhex(oid))
        )
    return _object("tree", b"".join(row for _, row in sorted(rows)), seen)


def _object(kind: str, data: bytes, seen: dict[str, bytes]) -> str:
    whole = f"{kind} {len(data)}\0".encode() + data
    oid = sha1(whole).hexdigest()
    seen[oid] = whole
    return oid
