"""Glob patterns over paths: ``*`` stays within one name, ``**`` crosses any number of folders."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final, TypeAlias

States: TypeAlias = frozenset[int]
"""How far into the pattern a path has come: positions between its segments, all that are possible."""

_MAX_PATTERN: Final = 1_000


class Glob:
    """A pattern, followed name by name, so that folders that can't hold a match are never opened.

    Names that begin with a dot are matched only by a segment that begins with one: ``*`` and ``**`` pass
    over ``.git``, ``.github/**`` does not. Raises ``ValueError`` for a pattern that leads out.
    """

    def __init__(self, pattern: str) -> None:
        self._segments = tuple(part for part in pattern.split("/") if part not in ("", "."))
        if not self._segments or len(pattern) > _MAX_PATTERN:
            raise ValueError(f"a pattern has 1 to {_MAX_PATTERN:,} characters, such as *.py or **/*.py")
        if pattern.startswith("/") or ".." in self._segments:
            raise ValueError(
                f"pattern {pattern!r} leads out of the folder; use path to choose another folder"
            )
        self.start: States = self._closed({0})

    def follow(self, states: States, name: str) -> States:
        """Where one more name leads. Empty: nowhere."""
        reached: set[int] = set()
        for state in states:
            if state == len(self._segments):
                continue
            segment = self._segments[state]
            if name.startswith(".") and not segment.startswith("."):
                continue
            if segment == "**":
                reached.add(state)
            elif fnmatchcase(name, segment):
                reached.add(state + 1)
        return self._closed(reached)

    def is_match(self, states: States) -> bool:
        """Whether the path that led to ``states`` fits the whole pattern."""
        return len(self._segments) in states

    def may_go_on(self, states: States) -> bool:
        """Whether something below that path can fit."""
        return any(state < len(self._segments) for state in states)

    def _closed(self, states: set[int]) -> States:
        """With what follows a ``**``, as that may stand for no folder at all."""
        closed = set(states)
        for state in sorted(states):
            while state < len(self._segments) and self._segments[state] == "**":
                state += 1
                closed.add(state)
        return frozenset(closed)
