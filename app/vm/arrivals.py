"""Outcomes between their arrival and stable storage: gathered for a moment, then kept together.

What arrives one behind the other costs one flush instead of one each, and nothing that was paid for is at risk for
longer than that moment.
"""

from __future__ import annotations

from collections.abc import Container
from time import monotonic
from typing import Final, NamedTuple

from app.vm.calls import Outcome
from app.vm.kept import KeptOutcomes
from app.vm.work import Work

_MOMENT_SECONDS: Final = 0.005


class _Arrival(NamedTuple):
    work: Work
    item: int | None
    outcome: Outcome


class Arrivals:
    """The outcomes of a run that have arrived and are not on stable storage."""

    def __init__(self, kept: KeptOutcomes) -> None:
        self.need_flush = False
        """Whether some were committed that are nowhere else until the next flush."""
        self._kept = kept
        self._waiting: list[_Arrival] = []
        self._since: float | None = None

    def add(self, work: Work, item: int | None, outcome: Outcome) -> None:
        """A call has ended."""
        self._waiting.append(_Arrival(work, item, outcome))
        if self._since is None and work.tool.effect != "pure":
            self._since = monotonic()

    def forget(self, work: Work) -> None:
        """It was committed."""
        left = [each for each in self._waiting if each.work is not work]
        if len(left) < len(self._waiting) and work.tool.effect != "pure":
            self.need_flush = True
        self._waiting = left

    def save(self, due: Container[Work] = ()) -> None:
        """Keep all, except those of works whose commit comes next."""
        if self._waiting:
            saved = [each for each in self._waiting if each.work not in due]
            rows = [each.work.to_keep(each.item, each.outcome) for each in saved]
            self._kept.save(row for row in rows if row is not None)
            self._waiting = [each for each in self._waiting if each.work in due]

    def secured(self) -> None:
        """Everything is on stable storage but what is due, for which another moment begins."""
        self.need_flush = False
        self._since = monotonic() if self._waiting else None

    @property
    def seconds_left(self) -> float | None:
        """Of the moment for which outcomes are gathered; ``None`` where none has arrived."""
        return None if self._since is None else max(0.0, self._since + _MOMENT_SECONDS - monotonic())
