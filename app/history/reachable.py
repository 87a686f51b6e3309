"""All objects that some commits reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dulwich.objects import S_ISGITLINK, parse_tree

from app.history.base import Kind, RawObject, Store

_TAG = 4


def reachable_objects(store: Store, tips: Iterable[bytes]) -> Iterator[RawObject]:
    """Each object that ``tips`` reach, once: a commit, its tree, then its parents.

    Raises ``DamagedHistory``.
    """
    seen = set(tips)
    waiting = sorted(seen)
    while waiting:
        item = store.read(waiting.pop())
        yield item
        new = [oid for oid in _references(item) if oid not in seen]
        seen.update(new)
        waiting.extend(new)


def _references(item: RawObject) -> list[bytes]:
    """The ids an object names, those to be visited last first."""
    if item.kind == Kind.TREE:
        return _tree_references(item.data)
    if item.kind in (Kind.COMMIT, _TAG):
        return _header_references(item.data)
    return []


def _tree_references(data: bytes) -> list[bytes]:
    entries = parse_tree(data, 20)
    return [bytes.fromhex(oid.decode()) for _, mode, oid in entries if not S_ISGITLINK(mode)]


def _header_references(data: bytes) -> list[bytes]:
    found = []
    for line in data.partition(b"\n\n")[0].split(b"\n"):
        word, _, oid = line.partition(b" ")
        if word in (b"parent", b"tree", b"object"):
            found.append(bytes.fromhex(oid.decode()))
    return found[::-1]
