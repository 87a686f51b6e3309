"""Where objects lie, for who reads them one by one: a log, blame, a replay. Neighbours are looked up together."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, TypeAlias

Place: TypeAlias = tuple[int, int, int, int]
"""Segment, position, length, kind."""

_ONE_BY_ONE: Final = 32
"""So many objects of a segment are looked up alone; then all that lie in it are, in the time of a few."""

_MOST: Final = 1 << 16
"""Places kept: about 16 MB."""


class Places:
    """Of one repository. ``find`` looks one object up, ``find_all`` gives what lies in a segment.

    An object never changes, but garbage collection moves it, or drops it: whoever must know asks ``find``.
    """

    def __init__(
        self,
        find: Callable[[bytes], Place | None],
        find_all: Callable[[int], Iterable[tuple[bytes, Place]]],
    ) -> None:
        self._find = find
        self._find_all = find_all
        self._lock = Lock()
        self._known: dict[bytes, Place] = {}
        self._segments: deque[list[bytes]] = deque()
        self._found: Counter[int] = Counter()

    def get(self, oid: bytes) -> Place | None:
        """Where it lies, or lay when its segment was looked at."""
        place = self._known.get(oid) or self._find(oid)
        if place is not None and oid not in self._known:
            with self._lock:
                self._found[place[0]] += 1
                is_due = self._found[place[0]] == _ONE_BY_ONE
            if is_due:
                self._keep(self._find_all(place[0]))
        return place

    def _keep(self, found: Iterable[tuple[bytes, Place]]) -> None:
        with self._lock:
            places = dict(found)
            self._known |= places
            self._segments.append(list(places))
            while len(self._known) > _MOST and len(self._segments) > 1:
                for oid in self._segments.popleft():
                    self._known.pop(oid, None)
                # Whoever comes back to it is looked up anew.
                self._found.clear()

    def forget(self) -> None:
        """Nothing is taken for granted any more."""
        with self._lock:
            self._known.clear()
            self._segments.clear()
            self._found.clear()
