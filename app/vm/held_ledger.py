"""A ledger whose every word is finished before Ctrl-C is heard: a note is there whole, or not begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.db.base import Attempt, AttemptState, FinishedEffect, Ledger
from app.vm.interrupts import Interrupts


class HeldLedger:
    """Another :class:`app.db.base.Ledger`, with interrupts held back while it works."""

    def __init__(self, ledger: Ledger, interrupts: Interrupts) -> None:
        self._ledger = ledger
        self._interrupts = interrupts

    def fenced(self, branch: str, fence: int) -> HeldLedger:
        return HeldLedger(self._ledger.fenced(branch, fence), self._interrupts)

    def begin(self, attempt: Attempt) -> None:
        with self._interrupts.held():
            self._ledger.begin(attempt)

    def close(self, key: str, number: int, state: AttemptState, error: str | None) -> None:
        with self._interrupts.held():
            self._ledger.close(key, number, state, error)

    def attempts(self, key: str) -> list[Attempt]:
        with self._interrupts.held():
            return self._ledger.attempts(key)

    def branch_attempts(self, branch: str) -> list[Attempt]:
        with self._interrupts.held():
            return self._ledger.branch_attempts(branch)

    def save_effects(self, branch: str, finished: Sequence[FinishedEffect]) -> None:
        with self._interrupts.held():
            self._ledger.save_effects(branch, finished)

    def effects(self, branch: str, seq_no: int, visit: int) -> dict[int, tuple[str, bytes]]:
        with self._interrupts.held():
            return self._ledger.effects(branch, seq_no, visit)

    def branch_effects(self, branch: str) -> list[FinishedEffect]:
        with self._interrupts.held():
            return self._ledger.branch_effects(branch)

    def effect_places(self, branch: str) -> set[tuple[int, int]]:
        with self._interrupts.held():
            return self._ledger.effect_places(branch)

    def drop_effects(self, branch: str, places: Iterable[tuple[int, int]]) -> None:
        with self._interrupts.held():
            self._ledger.drop_effects(branch, places)

    def drop_branch(self, branch: str) -> None:
        with self._interrupts.held():
            self._ledger.drop_branch(branch)

    def drop(self) -> None:
        with self._interrupts.held():
            self._ledger.drop()
