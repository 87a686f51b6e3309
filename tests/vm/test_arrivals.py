"""Outcomes between their arrival and stable storage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.db.memory import MemoryLedger
from app.tools import Tool, tool
from app.vm import arrivals
from app.vm.arrivals import Arrivals
from app.vm.calls import Outcome
from app.vm.effects import CallNeeded
from app.vm.kept import KeptOutcomes
from app.vm.work import SingleCall

GOOD = Outcome("ok", "value", None, 1, 0, 0)


@tool(effect="read")
def look(x: int) -> int:
    """Look."""
    return x


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def arriving(ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch) -> Arrivals:
    monkeypatch.setattr(arrivals, "_MOMENT_SECONDS", 60.0)
    return Arrivals(KeptOutcomes(ledger, "main"))


def work(seq_no: int, made: Tool = look) -> SingleCall:
    return SingleCall(CallNeeded(seq_no, 1, made.name, {"x": seq_no}), made)


def test_nothing_is_overdue_before_anything_has_arrived(arriving: Arrivals) -> None:
    assert arriving.seconds_left is None
    arriving.add(work(1, replace(look, effect="pure")), None, GOOD)
    assert arriving.seconds_left is None


def test_the_moment_is_that_of_the_first(arriving: Arrivals) -> None:
    arriving.add(work(1), None, GOOD)
    left = arriving.seconds_left
    assert left is not None and 50 < left <= 60
    arriving.add(work(2), None, GOOD)
    assert arriving.seconds_left is not None and arriving.seconds_left <= left


def test_what_is_due_is_not_kept_and_has_another_moment(ledger: MemoryLedger, arriving: Arrivals) -> None:
    due, other = work(1), work(2)
    arriving.add(due, None, GOOD)
    arriving.add(other, None, GOOD)
    arriving.save({due})
    arriving.secured()
    assert ledger.effect_places("main") == {(2, 1)}
    assert arriving.seconds_left is not None
    assert not arriving.need_flush
    arriving.forget(other)
    assert not arriving.need_flush
    arriving.forget(due)
    assert arriving.need_flush
    arriving.secured()
    assert arriving.seconds_left is None and not arriving.need_flush
