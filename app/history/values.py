"""Values as git objects: a blob of canonical JSON, or a tree where the value is long.

A list becomes a 32-way tree whose leaves pack items, an object a folder of its keys. Both remember what they
were built from and, as values are never changed in place, know by identity which parts are the same: setting
a list that grew by one item encodes one item. Specified in ``docs/history-format.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from app.errors import InvalidValue
from app.history.base import Kind
from app.history.canonical import MAX_DEPTH, canonical
from app.history.lists import ListTree
from app.history.measure import too_large, trouble_with
from app.history.names import escape_name, fits_folder, unescape_name
from app.history.trees import Entry, FanTree, ObjectSink

LONG_ABOVE: Final = 16 * 1024
"""Bytes of canonical text above which a list or an object becomes a tree."""

FAN_OUT_NAMES: Final = frozenset(f"_{nibble:x}" for nibble in range(16))
"""The sub-folders of a folder of many keys."""


class ObjectTree:
    """A long object: a folder of its keys, each a value of its own."""

    __slots__ = ("parts", "value")

    def __init__(self, value: dict[str, Any], parts: dict[str, Stored]) -> None:
        self.value = value
        self.parts = parts


class Stored(NamedTuple):
    """A value as it lies in a tree: whether it is one, its id, and its text's length in bytes.

    ``shape`` is what a later version of the value can build upon, ``None`` for blobs.
    """

    is_tree: bool
    oid: bytes
    size: int
    shape: ListTree | ObjectTree | None = None

    @property
    def suffix(self) -> str:
        return ".d" if self.is_tree else ".json"


def store_value(
    value: Any,
    sink: ObjectSink,
    previous: Stored | None = None,
    limit: int | None = None,
    max_depth: int = MAX_DEPTH,
) -> Stored:
    """Encode a value. ``previous`` is the earlier version it may share parts with.

    Raises ``InvalidValue`` for what JSON can't hold, and where the canonical text is above ``limit`` bytes.
    """
    shape = previous.shape if previous is not None else None
    if type(value) is list and isinstance(shape, ListTree):
        grown = ListTree.build(value, sink, store_long_item, shape, max_depth)
        _check_size(grown.size, limit)
        if grown.size > LONG_ABOVE:
            return Stored(True, grown.write(sink), grown.size, grown)
    if limit is not None and (trouble := trouble_with(value, limit)):
        raise InvalidValue(trouble)
    text = canonical(value, max_depth)
    size = len(text)
    _check_size(size, limit)
    if size > LONG_ABOVE:
        if type(value) is list:
            tree = ListTree.build(value, sink, store_long_item, None, max_depth)
            return Stored(True, tree.write(sink), size, tree)
        if type(value) is dict and fits_folder(value):
            return _store_object(value, size, sink, shape if isinstance(shape, ObjectTree) else None)
    return Stored(False, sink.add(Kind.BLOB, text), size)


def _store_object(value: dict[str, Any], size: int, sink: ObjectSink, previous: ObjectTree | None) -> Stored:
    folder = FanTree()
    parts: dict[str, Stored] = {}
    for key, item in value.items():
        part = previous.parts.get(key) if previous is not None else None
        if part is None or previous is None or previous.value[key] is not item:
            part = store_value(item, sink, part)
        parts[key] = part
        folder.put(key, escape_name(key) + part.suffix, part.is_tree, part.oid)
    return Stored(True, folder.write(sink), size, ObjectTree(value, parts))


def store_long_item(item: Any, sink: ObjectSink) -> bytes | None:
    """The tree of a list's item that is long itself; ``None`` where it has none."""
    if type(item) not in (list, dict) or len(canonical(item)) <= LONG_ABOVE:
        return None
    stored = store_value(item, sink)
    return stored.oid if stored.is_tree else None


def _check_size(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise InvalidValue(too_large(size, limit))


ReadTree = Callable[[bytes], list[Entry]]
ReadJson = Callable[[bytes], Any]
"""The JSON that the blob of an id holds. It is never changed in place, so it may be given out again."""


def load_value(entry: Entry, read_tree: ReadTree, read_json: ReadJson) -> Any:
    """The value behind an entry named ``….json`` or ``….d``. Raises ``ValueError`` where there can't be one."""
    if entry.is_tree == entry.name.endswith(".json"):
        raise ValueError(f"{entry.name!r} is a {'tree' if entry.is_tree else 'blob'}")
    if not entry.is_tree:
        return read_json(entry.oid)
    entries = read_tree(entry.oid)
    if entries and entries[0].name.startswith("@"):
        return _load_items(entries, read_tree, read_json)
    return {key: load_value(item, read_tree, read_json) for key, item in load_folder(entries, read_tree)}


def _load_items(entries: list[Entry], read_tree: ReadTree, read_json: ReadJson) -> list[Any]:
    items: list[Any] = []
    for entry in entries:
        if entry.name.endswith(".json"):
            items.extend(_load_pack(entry, read_tree, read_json))
        elif entry.name.endswith(".d"):
            items.append(load_value(entry, read_tree, read_json))
        else:
            items.extend(_load_items(read_tree(entry.oid), read_tree, read_json))
    return items


def _load_pack(entry: Entry, read_tree: ReadTree, read_json: ReadJson) -> list[Any]:
    items = load_value(entry, read_tree, read_json)
    if type(items) is not list:
        raise ValueError(f"{entry.name!r} is not a list of items")
    return items


def load_folder(entries: list[Entry], read_tree: ReadTree) -> list[tuple[str, Entry]]:
    """The keys of a folder with their entries, the fan-out undone, in no particular order.

    Raises ``ValueError`` for a name that no key and no part of a fan-out has.
    """
    found: list[tuple[str, Entry]] = []
    for entry in entries:
        if entry.name.endswith(".json"):
            found.append((unescape_name(entry.name[:-5]), entry))
        elif entry.name.endswith(".d"):
            found.append((unescape_name(entry.name[:-2]), entry))
        elif entry.name in FAN_OUT_NAMES:
            found.extend(load_folder(read_tree(entry.oid), read_tree))
        else:
            raise ValueError(f"{entry.name!r} is not the name of a value")
    return found
