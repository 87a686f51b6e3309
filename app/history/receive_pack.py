"""A push by git's smart protocol: the commands that come ahead of the pack, and the report that answers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from app.errors import InputError
from app.history.pkt_lines import FLUSH, PACK_BAND, in_band, pkt_line, read_pkt, said
from app.history.upload_pack import AGENT, advertise

# Deleting is offered so that the refusal is ours, with its reason. Without thin packs a pack stands for itself.
_CAPABILITIES: Final = (
    b"report-status delete-refs side-band-64k quiet ofs-delta no-thin object-format=sha1 " + AGENT
)
_NOWHERE: Final = bytes(20)
MOST_COMMANDS: Final = 100


class Command(NamedTuple):
    """Move ``ref`` from ``old`` to ``new``; ``None``: it is not there."""

    ref: bytes
    old: bytes | None
    new: bytes | None


@dataclass(frozen=True, slots=True)
class Commands:
    """What a client wants done. ``capabilities`` are those it chose."""

    moves: tuple[Command, ...]
    capabilities: frozenset[bytes]

    @property
    def has_pack(self) -> bool:
        """Whether a pack follows: not where all is deleting."""
        return any(move.new is not None for move in self.moves)


def advertise_push(refs: Mapping[str, bytes], head_branch: str) -> bytes:
    """The refs, as a client that pushes wants to know them."""
    return advertise(refs, head_branch, b"git-receive-pack", _CAPABILITIES)


def read_commands(body: BinaryIO) -> Commands:
    """What stands ahead of the pack. None at all: the client only tries whether it may. Raises ``InputError``."""
    moves: list[Command] = []
    capabilities: frozenset[bytes] = frozenset()
    while isinstance(line := read_pkt(body), bytes):
        if not moves:
            line, _, chosen = line.partition(b"\0")
            capabilities = frozenset(chosen.split())
        if line.startswith((b"shallow ", b"push-cert")):
            raise InputError(
                "a push from a shallow clone, or a signed one, is not taken", hint="git fetch --unshallow"
            )
        moves.append(_command(line))
        if len(moves) > MOST_COMMANDS:
            raise InputError(f"more than {MOST_COMMANDS} refs at once")
    return Commands(tuple(moves), capabilities)


def _command(line: bytes) -> Command:
    old, _, rest = line.partition(b" ")
    new, _, ref = rest.partition(b" ")
    return Command(ref, _object_id(old), _object_id(new))


def _object_id(digits: bytes) -> bytes | None:
    try:
        oid = bytes.fromhex(digits.decode())
    except ValueError:
        oid = b""
    if len(oid) != 20:
        raise InputError(f"not an object id: {digits[:60]!r}")
    return None if oid == _NOWHERE else oid


def report(
    commands: Commands, unpacked: str, results: Mapping[bytes, str | None], lines: Iterable[str]
) -> bytes:
    """The answer: what became of the pack (``ok``, or why not) and of each ref (``None``, or why not), and what the
    person is told."""
    status = [pkt_line(b"unpack %s\n" % _word(unpacked))]
    for move in commands.moves:
        reason = results.get(move.ref)
        line = b"ok " + move.ref if reason is None else b"ng %s %s" % (move.ref, _word(reason))
        status.append(pkt_line(line + b"\n"))
    body = b"".join([*status, FLUSH]) if b"report-status" in commands.capabilities else b""
    if b"side-band-64k" not in commands.capabilities:
        return body
    return said(lines) + b"".join(in_band(PACK_BAND, body)) + FLUSH


def _word(reason: str) -> bytes:
    clean = "".join(char if char.isprintable() else "?" for char in reason)
    return clean.encode(errors="replace")[:900]
