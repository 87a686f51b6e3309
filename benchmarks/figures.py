"""What is measured, as data: a figure of one workload with its goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """``values`` are those of the single runs. ``goal`` is the most the median may be; ``None``: for information."""

    workload: str
    meaning: str
    values: Sequence[float]
    unit: str
    goal: float | None = None

    @property
    def measured(self) -> float:
        return median(self.values)

    @property
    def is_met(self) -> bool | None:
        """``None`` without a goal, or where nothing could be measured."""
        return None if self.goal is None or not self.values else self.measured <= self.goal

    def to_json(self) -> dict[str, Any]:
        measured = self.measured if self.values else None
        return {
            "workload": self.workload,
            "meaning": self.meaning,
            "measured": measured,
            "values": list(self.values),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.is_met,
        }


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure: where to write, how many runs of each workload, and their size as a part of the full one."""

    folder: Path
    runs: int
    scale: float
    mariadb: str

    def size(self, full: int) -> int:
        """A number of steps, scaled, with at least twenty left."""
        return max(20, round(full * self.scale))
