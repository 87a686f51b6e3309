"""All objects that some commits reach."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from stat import S_ISDIR

from dulwich.objects import S_ISGITLINK, parse_tree

from app.errors import BranchMoved, DamagedHistory
from app.history.base import Kind, RawObject, RefMove, Store

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


def reachable_ids(store: Store, tips: Iterable[bytes], without: Collection[bytes] = ()) -> set[bytes]:
    """The ids of all that ``tips`` reach, but for what lies behind those in ``without``.

    Blobs are not read, only named. Raises ``DamagedHistory``.
    """
    seen = {oid for oid in tips if oid not in without}
    waiting = list(seen)
    while waiting:
        item = store.read(waiting.pop())
        if item.kind == Kind.TREE:
            for _, mode, hex_id in parse_tree(item.data, 20):
                oid = bytes.fromhex(hex_id.decode())
                if S_ISGITLINK(mode) or oid in seen or oid in without:
                    continue
                seen.add(oid)
                if S_ISDIR(mode):
                    waiting.append(oid)
            continue
        for oid in _references(item):
            if oid not in seen and oid not in without:
                seen.add(oid)
                waiting.append(oid)
    return seen


def require_reachable(store: Store, moves: Iterable[RefMove]) -> None:
    """Raise ``BranchMoved`` where a move's new target, or what it reaches, is not there: garbage was collected since
    it was chosen. To be asked only where that may be, as it walks the whole history."""
    for move in moves:
        if move.new is None:
            continue
        try:
            missing = next((oid for oid in reachable_ids(store, [move.new]) if not store.has(oid)), None)
        except DamagedHistory as error:
            missing = bytes.fromhex(error.oid)
        if missing is not None:
            raise BranchMoved(move.ref, "what it was to point to was cleared away meanwhile (`stackvm gc`)")


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
