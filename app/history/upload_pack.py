"""Clone and fetch by git's smart protocol, versions 0 and 2, without state: one request, one answer.

Shallow clones are served too. Nothing is compressed against something else: what a run writes is small, and shares
what it can by whole objects.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import chain
from typing import BinaryIO, Final

from app.errors import InputError
from app.history.base import Store
from app.history.packs import pack_entry
from app.history.pkt_lines import DELIMITER, FLUSH, PACK_BAND, in_band, pkt_line, read_pkt, said
from app.history.reachable import Graph, Node, Reached, object_ids_of

AGENT: Final = b"agent=stackvm"
_CAPABILITIES: Final = (
    b"multi_ack_detailed no-done side-band-64k thin-pack ofs-delta no-progress include-tag shallow"
    b" object-format=sha1 " + AGENT
)
_MOST_LINES: Final = 300_000
_WHOLE: Final = 0x7FFFFFFF
"""The depth by which git asks for everything that a shallow clone lacks."""
_PART_BYTES: Final = 1 << 16
_KEPT_BYTES: Final = 32 << 20


@dataclass(slots=True)
class Request:
    """What a client asks for. ``shallow`` are the commits whose parents it knows that it lacks."""

    wants: list[bytes] = field(default_factory=list)
    haves: list[bytes] = field(default_factory=list)
    shallow: set[bytes] = field(default_factory=set)
    depth: int | None = None
    done: bool = False
    capabilities: frozenset[bytes] = frozenset()


def advertise(refs: Mapping[str, bytes], head_branch: str, service: bytes, capabilities: bytes) -> bytes:
    """The refs as version 0 begins with them."""
    head = refs.get(f"refs/heads/{head_branch}")
    named = [] if head is None else [(b"HEAD", head)]
    named += [(name.encode(), oid) for name, oid in sorted(refs.items())]
    lines = [b"%s %s" % (oid.hex().encode(), name) for name, oid in named]
    lines = lines or [b"%s capabilities^{}" % (b"0" * 40)]
    symbolic = b"" if head is None else b" symref=HEAD:refs/heads/" + head_branch.encode()
    lines[0] += b"\0" + capabilities + symbolic
    body = b"".join(pkt_line(line + b"\n") for line in lines)
    return pkt_line(b"# service=%s\n" % service) + FLUSH + body + FLUSH


def advertise_fetch(refs: Mapping[str, bytes], head_branch: str, version: int) -> bytes:
    """What answers the first question of a client that wants to fetch."""
    if version != 2:
        return advertise(refs, head_branch, b"git-upload-pack", _CAPABILITIES)
    lines = (b"version 2", AGENT, b"ls-refs", b"fetch=shallow", b"object-format=sha1")
    return b"".join(pkt_line(line + b"\n") for line in lines) + FLUSH


def answer(
    store: Store, refs: Mapping[str, bytes], head_branch: str, version: int, body: BinaryIO
) -> Iterator[bytes]:
    """The answer to a request, in parts; the first of them is made before anything is sent.

    Raises ``InputError`` for what is no request or asks for what no ref reaches, ``DamagedHistory``.
    """
    if version != 2:
        return _Fetch(store, refs, _read_request(body)).answer_v0()
    command, arguments = _read_command(body)
    if command == b"ls-refs":
        return iter([_list_refs(refs, head_branch, arguments)])
    if command == b"fetch":
        return _Fetch(store, refs, _request_of(arguments)).answer_v2()
    raise InputError(f"unknown command {command!r}")


def _read_command(body: BinaryIO) -> tuple[bytes, list[bytes]]:
    command, arguments, capabilities = b"", [], True
    while (line := read_pkt(body)) not in (None, "flush"):
        if line == "delimiter":
            capabilities = False
        elif isinstance(line, bytes) and not capabilities:
            arguments.append(line)
            if len(arguments) > _MOST_LINES:
                raise InputError("the request has too many lines")
        elif isinstance(line, bytes) and line.startswith(b"command="):
            command = line.removeprefix(b"command=")
    return command, arguments


def _read_request(body: BinaryIO) -> Request:
    """A request of version 0: what is wanted, a flush, and what the client has."""
    lines: list[bytes] = []
    capabilities: frozenset[bytes] = frozenset()
    while (line := read_pkt(body)) is not None:
        if isinstance(line, bytes):
            if not lines and line.startswith(b"want "):
                capabilities = frozenset(line[45:].split())
                line = line[:45]
            lines.append(line)
            if len(lines) > _MOST_LINES:
                raise InputError("the request has too many lines")
    return _request_of(lines, capabilities)


def _request_of(lines: list[bytes], capabilities: frozenset[bytes] = frozenset()) -> Request:
    request = Request(capabilities=capabilities)
    for line in lines:
        word, _, rest = line.partition(b" ")
        if word == b"want":
            request.wants.append(_object_id(rest))
        elif word == b"have":
            request.haves.append(_object_id(rest))
        elif word == b"shallow":
            request.shallow.add(_object_id(rest))
        elif word == b"deepen":
            request.depth = _number(rest)
        elif word == b"done":
            request.done = True
        elif word in (b"deepen-since", b"deepen-not", b"filter"):
            raise InputError(f"{word.decode()} is not served here")
    return request


def _object_id(digits: bytes) -> bytes:
    try:
        oid = bytes.fromhex(digits.decode())
    except ValueError:
        oid = b""
    if len(oid) != 20:
        raise InputError(f"not an object id: {digits[:60]!r}")
    return oid


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 10 or int(digits) < 1:
        raise InputError(f"not a depth: {digits[:20]!r}")
    return int(digits)


def _list_refs(refs: Mapping[str, bytes], head_branch: str, arguments: list[bytes]) -> bytes:
    prefixes = tuple(
        line.removeprefix(b"ref-prefix ") for line in arguments if line.startswith(b"ref-prefix ")
    )
    head = f"refs/heads/{head_branch}"
    named = [(b"HEAD", refs[head], b" symref-target:" + head.encode())] if head in refs else []
    named += [(name.encode(), oid, b"") for name, oid in sorted(refs.items())]
    lines = []
    for name, oid, target in named:
        if not prefixes or name.startswith(prefixes):
            shown = target if b"symrefs" in arguments else b""
            lines.append(pkt_line(b"%s %s%s\n" % (oid.hex().encode(), name, shown)))
    return b"".join(lines) + FLUSH


class _Fetch:
    def __init__(self, store: Store, refs: Mapping[str, bytes], request: Request) -> None:
        self._store = store
        self._request = request
        self._graph = Graph(store)
        self._check_wants(refs)
        self._common = [oid for oid in dict.fromkeys(request.haves) if store.has(oid)]

    def _check_wants(self, refs: Mapping[str, bytes]) -> None:
        """A branch may have gone on since the client asked where it stands; what no branch has is not given."""
        unknown = set(self._request.wants) - set(refs.values())
        if unknown:
            unknown -= self._graph.ancestors(refs.values()).keys()
        for oid in unknown:
            raise InputError(f"not our ref: {oid.hex()}")

    def answer_v0(self) -> Iterator[bytes]:
        request = self._request
        if not request.wants:
            return
        cuts, news = self._boundary()
        if request.depth is not None:
            yield news + FLUSH
        detailed = b"multi_ack_detailed" in request.capabilities
        acknowledged, sends = self._acknowledge_v0(detailed=detailed)
        yield acknowledged
        if sends:
            banded = b"side-band-64k" in request.capabilities
            yield from self._pack(cuts, banded=banded)

    def _acknowledge_v0(self, *, detailed: bool) -> tuple[bytes, bool]:
        """What is said of the commits that the client has, and whether the pack follows."""
        common, request = self._common, self._request
        lines = [b"ACK %s common" % oid.hex().encode() for oid in common] if detailed else []
        last = [b"ACK %s" % common[-1].hex().encode()] if common else [b"NAK"]
        if request.done:
            return _lines([*lines, *last]), True
        if not request.haves:
            # Only the shallow part was asked for: the client asks again, with what it has.
            return b"", False
        if detailed and self._is_enough():
            ready = b"ACK %s ready" % common[-1].hex().encode()
            if b"no-done" in request.capabilities:
                return _lines([*lines, ready, b"NAK", *last]), True
            return _lines([*lines, ready, b"NAK"]), False
        return _lines([*lines, b"NAK"] if detailed or not common else last), False

    def answer_v2(self) -> Iterator[bytes]:
        request = self._request
        if not request.done:
            enough = self._is_enough()
            lines = [b"ACK %s" % oid.hex().encode() for oid in self._common] or [b"NAK"]
            acknowledged = _lines([b"acknowledgments", *lines, *([b"ready"] if enough else [])])
            yield acknowledged + (DELIMITER if enough else FLUSH)
            if not enough:
                return
        cuts, news = self._boundary()
        if news or request.depth is not None:
            yield _lines([b"shallow-info"]) + news + DELIMITER
        yield _lines([b"packfile"])
        yield from self._pack(cuts, banded=True)

    def _is_enough(self) -> bool:
        """Whether every line that is wanted begins with a commit that both have."""
        common = set(self._common)
        return bool(common) and all(_meets(self._graph, want, common) for want in self._request.wants)

    def _boundary(self) -> tuple[set[bytes], bytes]:
        """The commits whose parents are not sent, and what the client is told of them."""
        request = self._request
        if request.depth is None:
            return set(request.shallow), b""
        deep, edge = self._within(request.depth)
        new = sorted(edge - request.shallow)
        whole = sorted((deep & request.shallow) - edge)
        lines = [b"shallow " + oid.hex().encode() for oid in new]
        lines += [b"unshallow " + oid.hex().encode() for oid in whole]
        return edge | (request.shallow - deep), _lines(lines)

    def _within(self, depth: int) -> tuple[set[bytes], set[bytes]]:
        """The commits down to a depth, and those at its edge that have parents beyond."""
        seen: set[bytes] = set()
        level = set(self._request.wants)
        for _ in range(min(depth, _WHOLE) - 1):
            seen |= level
            above = level
            level = {parent for oid in above for parent in self._parents(oid)} - seen
            if not level:
                return seen, set()
        seen |= level
        return seen, {oid for oid in level if any(each not in seen for each in self._parents(oid))}

    def _parents(self, oid: bytes) -> tuple[bytes, ...]:
        node = self._graph.node(oid)
        return () if node is None else node.parents

    def _pack(self, cuts: set[bytes], *, banded: bool) -> Iterator[bytes]:
        packed, ids = _packed(self._missing(cuts))
        if banded and b"no-progress" not in self._request.capabilities:
            yield said([f"{len(packed) + len(ids):,} objects"])
        for part in _pack_parts(self._store, packed, ids):
            yield from in_band(PACK_BAND, part) if banded else (part,)
        if banded:
            yield FLUSH

    def _missing(self, cuts: set[bytes]) -> Reached:
        request, graph = self._request, self._graph
        # What the client has, as it knows it: behind a shallow commit it has nothing.
        had = graph.ancestors(self._common, cuts=request.shallow)
        tips = set(request.wants)
        if request.depth is not None:
            # What is no edge any more is followed to what lies behind.
            tips |= {parent for oid in request.shallow & had.keys() - cuts for parent in self._parents(oid)}
        wanted = graph.ancestors(tips, stops=had, cuts=cuts)
        borders = {oid for oid in self._borders(wanted) if oid in had}
        # Where nothing borders on it, as beyond a shallow edge, the heads that the client has still help.
        edge = {oid: had[oid] for oid in (borders or self._common)}
        known = set(object_ids_of(self._store, edge)) if edge else set()
        return Reached(self._store, wanted, known)

    def _borders(self, wanted: Mapping[bytes, Node | None]) -> Iterator[bytes]:
        for node in wanted.values():
            yield from () if node is None else node.parents


def _meets(graph: Graph, start: bytes, common: set[bytes]) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        oid = waiting.pop()
        if oid in common:
            return True
        node = graph.node(oid)
        new = [parent for parent in (node.parents if node is not None else ()) if parent not in seen]
        seen.update(new)
        waiting += new
    return False


def _lines(lines: list[bytes]) -> bytes:
    return b"".join(pkt_line(line + b"\n") for line in lines)


def _packed(reached: Reached) -> tuple[list[bytes], list[bytes]]:
    """Objects that had to be read to know what there is, packed, and the ids of all others.

    A pack says first how many it holds. What was read is kept, packed, as long as that is little.
    """
    packed: list[bytes] = []
    ids: list[bytes] = []
    size = 0
    for item in reached.structure():
        if size > _KEPT_BYTES:
            ids.append(item.oid)
            continue
        packed.append(pack_entry(item.kind, item.data))
        size += len(packed[-1])
    return packed, ids + reached.blobs


def _pack_parts(store: Store, packed: list[bytes], ids: list[bytes]) -> Iterator[bytes]:
    """A pack of these objects, as it is made: what is in memory is a few of them."""
    digest = sha1(usedforsecurity=False)
    gathered = [struct.pack(">4sII", b"PACK", 2, len(packed) + len(ids))]
    size = 0
    rest = (pack_entry(item.kind, item.data) for item in store.read_many(ids))
    for entry in chain(packed, rest):
        gathered.append(entry)
        size += len(entry)
        if size >= _PART_BYTES:
            part = b"".join(gathered)
            digest.update(part)
            yield part
            gathered, size = [], 0
    last = b"".join(gathered)
    digest.update(last)
    yield last + digest.digest()
