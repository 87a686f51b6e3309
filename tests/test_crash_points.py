"""Every crash point is reached in one place or more, under the name that the table knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import crash_points

APP = Path(__file__).parent.parent / "app"


def test_every_point_of_the_table_is_reached_somewhere_and_no_other() -> None:
    sources = (path.read_text() for path in APP.rglob("*.py"))
    reached = {name for source in sources for name in re.findall(r'reached\("([a-z.]+)"\)', source)}
    assert reached == set(crash_points.POINTS)


def test_a_point_does_what_it_was_armed_with_and_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[str] = []
    monkeypatch.setitem(crash_points.armed, "flush.done", lambda: died.append("flush.done"))
    crash_points.reached("flush.due")
    crash_points.reached("flush.done")
    assert died == ["flush.done"]
