"""Which runs of a process may begin beside each other, so that one that kills its process is found.

A run is lost with its worker whoever of those in it was to blame, and is given up when that happens too often without
its getting any further. So the last try is made alone: while it goes on, until it has committed a step, no other run
begins that has not committed one here either. One that has is not given up; it got further.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import Final

RESERVED_SECONDS: Final = 2.0
"""How long others wait for a last try that has to wait for them: it comes again sooner than that."""


class Trials:
    """Those of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unproven = 0
        self._is_alone = False
        self._reserved_until = 0.0

    def begin(self, *, alone: bool) -> Trial | None:
        """``None``: not now."""
        with self._lock:
            if self._is_alone or (not alone and monotonic() < self._reserved_until):
                return None
            if alone and self._unproven:
                self._reserved_until = monotonic() + RESERVED_SECONDS
                return None
            self._unproven += 1
            self._is_alone = alone
            return Trial(self, alone)

    def end(self, *, alone: bool) -> None:
        """A run has committed a step, or is over."""
        with self._lock:
            self._unproven -= 1
            if alone:
                self._is_alone, self._reserved_until = False, 0.0


class Trial:
    """A run that has not committed anything here yet."""

    def __init__(self, trials: Trials, alone: bool) -> None:
        self._trials: Trials | None = trials
        self._alone = alone

    def end(self) -> None:
        """It has, or is over; said again, nothing happens."""
        trials, self._trials = self._trials, None
        if trials is not None:
            trials.end(alone=self._alone)
