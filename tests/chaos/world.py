"""The world outside of StackVM, as a ledger: what tools really did, whatever the product remembers of it.

A line a call begun, a line a call ended; also models asked, processes killed and decisions taken. Lines are appended
whole, and those of calls that change something are on stable storage before the tool goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

FILE: Final = "world.jsonl"
"""In the folder in which a scenario's processes run."""

BEGUN, DONE, RAISED, REFUSED = "begun", "done", "raised", "refused"
"""A call: it begins; it took effect and gave a value; it raised; it raised ``NotPerformed``."""

KILLED, DECIDED = "killed", "decided"
WRITING, WRITTEN = "writing", "written"
"""A process begins to write to stable storage; it is there."""


class Place(NamedTuple):
    """Where a call stands in the history. A model's call stands at the hash of what was asked."""

    task: str
    branch: str
    step: int
    visit: int
    item: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``time`` is in seconds of the clock that all processes of a machine share."""

    what: str
    time: float
    pid: int
    tool: str = ""
    effect: str = ""
    key: str | None = None
    place: Place | None = None
    arguments: Any = None
    value: Any = None

    @property
    def asked(self) -> tuple[Place | None, str]:
        """What makes two calls the same one: the place and the arguments."""
        return self.place, json.dumps([self.tool, self.arguments], sort_keys=True)


def note(what: str, *, folder: Path | None = None, durable: bool = False, **fields: Any) -> None:
    """Append a line to the world of ``folder``; default: the working directory."""
    line = {"what": what, "time": monotonic(), "pid": os.getpid(), **fields}
    descriptor = os.open((folder or Path()) / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_world(folder: Path | None = None) -> list[Line]:
    """All lines so far, in the order in which they were written."""
    path = (folder or Path()) / FILE
    if not path.exists():
        return []
    return [_line(json.loads(text)) for text in path.read_text().splitlines()]


def _line(fields: dict[str, Any]) -> Line:
    place = fields.pop("place", None)
    return Line(place=Place(*place) if place is not None else None, **fields)


def begun_before(lines: Iterable[Line], place: Place) -> int:
    """How many calls were begun at a place."""
    return sum(line.what == BEGUN and line.place == place for line in lines)


def number(*values: Any) -> int:
    """A number below 1,000 that follows from the values: what every tool gives."""
    return int.from_bytes(sha256(json.dumps(values, sort_keys=True).encode()).digest()[:4]) % 1_000


def seconds_of(tool: str, arguments: Mapping[str, Any]) -> float:
    """How long a call takes, always the same: 0 to 15 ms; a few that look something up, so long that what arrives
    beside them would be old if it were lost."""
    if tool in ("look", "alook") and number("slow", tool, arguments) % 24 == 0:
        return 0.2
    return number("seconds", tool, arguments) % 16 / 1_000
