"""Whether objects are a history: all there that some tips reach, each of the kind it is named as.

Ids are not looked at: whoever has the objects worked them out. What the trees mean is for others to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from app.errors import DamagedHistory
from app.history.base import Kind, RawObject
from app.history.commits import Commit, parse_commit
from app.history.trees import Entry, parse_tree, tree_bytes

_FORBIDDEN: Final = frozenset({"", ".", ".."})


def sound_objects(
    objects: Mapping[bytes, RawObject], tips: Iterable[bytes]
) -> tuple[list[RawObject], list[Commit]]:
    """What the commits ``tips`` reach, and the commits among it, each once.

    Raises ``DamagedHistory`` for an object that is missing, of another kind, or can't be read.
    """
    waiting = [(tip, Kind.COMMIT) for tip in sorted(set(tips))]
    for tip, kind in waiting:  # first: what else names them is right
        _of_kind(objects, tip, kind)
    seen = dict(waiting)
    found: list[RawObject] = []
    commits: list[Commit] = []
    while waiting:
        oid, kind = waiting.pop()
        item = _of_kind(objects, oid, kind)
        found.append(item)
        if kind == Kind.BLOB:
            continue
        if kind == Kind.COMMIT:
            commits.append(parse_commit(oid, item.data))
        named = _of_commit(commits[-1]) if kind == Kind.COMMIT else _of_tree(item)
        for each, expected in named:
            if each not in seen:
                seen[each] = expected
                waiting.append((each, expected))
            elif seen[each] != expected:
                raise DamagedHistory(each.hex(), f"is no {expected.label}, as {oid.hex()} has it")
    return found, commits


def _of_kind(objects: Mapping[bytes, RawObject], oid: bytes, kind: Kind) -> RawObject:
    item = objects.get(oid)
    if item is None:
        raise DamagedHistory(oid.hex(), f"is missing, a {kind.label}")
    if item.kind != kind:
        raise DamagedHistory(oid.hex(), f"is no {kind.label}")
    return item


def _of_commit(commit: Commit) -> Iterator[tuple[bytes, Kind]]:
    yield commit.tree, Kind.TREE
    for parent in commit.parents:
        yield parent, Kind.COMMIT


def _of_tree(item: RawObject) -> Iterator[tuple[bytes, Kind]]:
    names: set[str] = set()
    for entry in _entries(item):
        if (
            entry.name in names
            or entry.name in _FORBIDDEN
            or "/" in entry.name
            or entry.name.lower() == ".git"
        ):
            raise DamagedHistory(item.oid.hex(), f"is a tree that can't have an entry {entry.name!r}")
        names.add(entry.name)
        yield entry.oid, Kind.TREE if entry.is_tree else Kind.BLOB


def _entries(item: RawObject) -> list[Entry]:
    try:
        entries = parse_tree(item.data)
    except ValueError as error:  # names that are no UTF-8 too
        raise DamagedHistory(item.oid.hex(), f"is a tree that can't be read: {error}") from None
    if tree_bytes(entries) != item.data:
        raise DamagedHistory(item.oid.hex(), "is a tree with an order or modes that no history has")
    return entries
