"""Ctrl-C acts while an effect is awaited, never while something is being written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.db.base import FinishedEffect
from app.db.memory import MemoryLedger
from app.vm.held_ledger import HeldLedger
from app.vm.interrupts import Interrupts


class PressingLedger(MemoryLedger):
    """Somebody presses Ctrl-C in the middle of each write."""

    def __init__(self, interrupts: Interrupts) -> None:
        super().__init__()
        self._press = interrupts._on_signal

    def save_effects(self, branch: str, finished: Sequence[FinishedEffect]) -> None:
        self._press(2, None)
        super().save_effects(branch, finished)


def test_a_request_is_heard_at_once_while_an_effect_is_awaited() -> None:
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.awaiting():
        interrupts._on_signal(2, None)
        pytest.fail("not reached")


def test_a_request_waits_until_what_is_being_written_is_there() -> None:
    interrupts = Interrupts()
    inner = PressingLedger(interrupts)
    ledger = HeldLedger(inner, interrupts)
    with pytest.raises(KeyboardInterrupt), interrupts.awaiting():
        ledger.save_effects("main", [FinishedEffect(1, 1, 0, "hash", b"outcome")])
        pytest.fail("not reached")
    assert inner.effects("main", 1, 1) == {0: ("hash", b"outcome")}


def test_between_steps_a_request_is_only_noted() -> None:
    interrupts = Interrupts()
    interrupts._on_signal(2, None)
    assert interrupts.requested
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
