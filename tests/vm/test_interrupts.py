"""Ctrl-C acts while an effect is awaited, never while something is being written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.db.base import FinishedEffect
from app.db.memory import MemoryLedger
from app.vm.held_ledger import HeldLedger
from app.vm.interrupts import Asked, Interrupts, StopAsked


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


def test_the_first_lets_an_effect_end_and_the_second_does_not() -> None:
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.awaiting_effect():
        interrupts._on_signal(2, None)
        assert interrupts.asked == Asked("pause")
        assert not interrupts.now
        interrupts._on_signal(2, None)
        pytest.fail("not reached")
    assert interrupts.now


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
    interrupts.check()
    with pytest.raises(StopAsked):
        interrupts.check_asked()
    interrupts._on_signal(2, None)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_a_pause_does_not_undo_a_cancellation_which_reaches_whoever_can_end_calls() -> None:
    interrupts = Interrupts()
    ended: list[str] = []
    with interrupts.cancelling(lambda: ended.append("before")):
        interrupts.ask(Asked("pause", "ann"))
        assert ended == []
        interrupts.ask(Asked("cancel", "bob"))
        interrupts.ask(Asked("pause", "ann"))
        interrupts.ask(Asked("cancel", "cid"))
    with interrupts.cancelling(lambda: ended.append("after")):
        pass
    assert interrupts.asked == Asked("cancel", "bob")
    assert ended == ["before", "after"]
