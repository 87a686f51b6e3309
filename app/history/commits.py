"""Commits as bytes: a message a person understands, git trailers, constant authorship."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from app.errors import DamagedHistory

ENGINE: Final = "StackVM"
_DOMAIN: Final = "localhost"
_SIGNATURE: Final = re.compile(rb"(.*) <([^<>\n]*)> (-?\d+) ([+-]\d{4})\Z")
_OBJECT_ID: Final = re.compile(rb"[0-9a-f]{40}\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,18}\Z")
_SUBJECT_CHARS: Final = 120

# Spelled out, as Python's own idea of what is printable changes with its version, and commit ids must not:
# controls, spaces, line and paragraph separators, and what changes the direction of writing.
_BLANK: Final = re.compile("[\\x00-\\x20\\x7f-\\xa0\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]+")

KINDS: Final = frozenset(
    {"goal", "plan", "step", "failure", "revision", "decision", "approval", "edit", "push", "stop"}
)
"""Kinds of commits of the engine. What a client of git made, and pushed, has none."""

TRANSPARENT_KINDS: Final = frozenset({"failure", "decision", "approval", "stop"})
"""Kinds after which a call is still the same call: its idempotency key does not change."""


@dataclass(frozen=True, slots=True)
class Commit:
    """``oid``, ``tree`` and ``parents`` are 20-byte ids; ``time`` is in whole seconds since the epoch."""

    oid: bytes
    tree: bytes
    parents: tuple[bytes, ...]
    author: str
    time: int
    message: str
    trailers: dict[str, str] = field(default_factory=dict)

    @property
    def before(self) -> bytes | None:
        """The commit whose state this one goes on from, its last parent; ``None`` for the first.

        Only a ``push`` has two: what was pushed, and then the fork point, on which its state stands.
        """
        return self.parents[-1] if self.parents else None

    @property
    def id(self) -> str:
        """The id in hex."""
        return self.oid.hex()

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]

    @property
    def kind(self) -> str:
        """What made it: ``goal``, ``plan``, ``step``, ``failure``, …; ``docs/history-format.md`` lists them."""
        return self.trailers.get("Kind", "")

    @property
    def seq_no(self) -> int | None:
        """The step that was executed, where one was."""
        value = self.trailers.get("Step")
        return int(value) if value is not None and _NUMBER.match(value) else None


def format_message(subject: str, trailers: dict[str, str]) -> str:
    """Subject and trailers as one message; both reduced to what fits a line of git."""
    lines = [subject_line(subject), ""]
    lines += [f"{name}: {one_line(value, 200)}" for name, value in trailers.items()]
    return "\n".join(lines) + "\n"


def subject_line(subject: str) -> str:
    """The first line of a message."""
    return one_line(subject, _SUBJECT_CHARS)


def one_line(text: str, limit: int) -> str:
    """Text on one line, without white space at its ends or twice in a row, at most ``limit`` characters."""
    line = _BLANK.sub(" ", text).strip(" ")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def signature(name: str) -> bytes:
    """A person or the engine as git writes one, without the time."""
    clean = "".join(char for char in one_line(name, 100) if char not in "<>,").strip(" .;:'\"\\") or "unknown"
    local = re.sub(r"[^A-Za-z0-9._-]", "-", clean).lower()
    return f"{clean} <{local}@{_DOMAIN}>".encode()


_ENGINE_SIGNATURE: Final = signature(ENGINE)


def commit_bytes(
    tree: bytes, parents: tuple[bytes, ...], time: int, message: str, author: str | None = None
) -> bytes:
    """A commit object. ``author`` names the person who acted; ``None`` is the engine, who always commits."""
    written_by = _ENGINE_SIGNATURE if author is None else signature(author)
    lines = [b"tree %s" % tree.hex().encode()]
    lines += [b"parent %s" % parent.hex().encode() for parent in parents]
    lines.append(b"author %s %d +0000" % (written_by, time))
    lines.append(b"committer %s %d +0000" % (_ENGINE_SIGNATURE, time))
    return b"\n".join(lines) + b"\n\n" + message.encode()


def parse_commit(oid: bytes, data: bytes) -> Commit:
    """Read a commit, also one that another client of git wrote. Raises ``DamagedHistory``."""
    head, _, body = data.partition(b"\n\n")
    tree, parents, author, time = b"", [], "", 0
    for line in head.split(b"\n"):
        word, _, rest = line.partition(b" ")
        if word == b"tree":
            tree = _object_id(oid, rest)
        elif word == b"parent":
            parents.append(_object_id(oid, rest))
        elif word == b"author" and (match := _SIGNATURE.match(rest)):
            author = match[1].decode(errors="replace")
        elif word == b"committer" and (match := _SIGNATURE.match(rest)):
            time = int(match[3])
    if not tree:
        raise DamagedHistory(oid.hex(), "is a commit without a tree")
    message = body.decode(errors="replace")
    return Commit(oid, tree, tuple(parents), author, time, message, _trailers(message))


def _object_id(commit: bytes, digits: bytes) -> bytes:
    if not _OBJECT_ID.match(digits):
        raise DamagedHistory(commit.hex(), "is a commit whose tree or parent is no id")
    return bytes.fromhex(digits.decode())


def _trailers(message: str) -> dict[str, str]:
    block = message.rstrip().rsplit("\n\n", 1)
    if len(block) < 2:
        return {}
    pairs = [line.split(": ", 1) for line in block[1].split("\n") if ": " in line]
    return dict(pair for pair in pairs if len(pair) == 2)
