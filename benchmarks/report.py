"""Figures as a table, and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_WORDS = {True: "yes", False: "NO", None: ""}


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """One line a figure: the median, the range, the goal and whether it is met."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("workload", "figure"):
        table.add_column(name)
    for name in ("median", "min–max", "goal"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met")
    previous = ""
    for figure in figures:
        name = figure.workload if figure.workload != previous else ""
        table.add_row(name, figure.meaning, *_measured(figure), _WORDS[figure.is_met])
        previous = figure.workload
    console.print(table)


def machine() -> dict[str, Any]:
    """What the figures were measured on, without naming it."""
    return {
        "processors": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _measured(figure: Figure) -> tuple[str, str, str]:
    goal = "" if figure.goal is None else f"≤ {_number(figure.goal)} {figure.unit}".rstrip()
    if not figure.values:
        return "", "", goal
    measured = f"{_number(figure.measured)} {figure.unit}".rstrip()
    return measured, f"{_number(min(figure.values))}–{_number(max(figure.values))}", goal


def _number(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
