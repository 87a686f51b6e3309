"""Two workers forced onto one branch: the first stops until its lease is over and the second has gone on."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from chaos.child import Arm, Ended
from chaos.kills import Campaign
from chaos.lives import Lives, Story
from chaos.scene import Ground, Scene, document

LEASE_SECONDS: Final = 0.6

STALLS: Final = (
    "attempt.begun",
    "flush.due",
    "step.committed",
    "call.returned",
    "flush.written",
    "flush.done",
    "lease.fenced",
    "attempt.closed",
    "effects.kept",
    "lease.taken",
    "plan.written",
    "run.over",
    "revision.committed",
)
"""Where the first worker stops, the likeliest first."""

_STALE: Final = ("BranchMoved", "Conflict", "LeaseHeld")
"""Errors by which a worker says that the branch is another's."""

_IDLE: Final = (
    "lease.taken",
    "lease.fenced",
    "run.over",
    "flush.done",
    "flush.written",
    "revision.committed",
)
"""Points at which the first may have nothing (more) to commit: what it then says is right, if its head stands."""


def stalls(campaign: Campaign, ground: Ground, index: int) -> Iterator[Story]:
    """One plan, and a worker that stops once in its run, at a passing by chance."""
    chance = random.Random(f"{campaign.seed} fence {index}")
    point = STALLS[index % len(STALLS)]
    for _ in range(6):
        kinds = (
            ["planned"] if point in ("plan.written", "revision.committed") else ["given", "given", "revised"]
        )
        setting = campaign.setting(chance, index, kind=chance.choice(kinds), lease_seconds=LEASE_SECONDS)
        if (
            point == "flush.written"
        ):  # in a database it lies amid a transaction, which others have to wait for
            setting = replace(setting, store="git")
        nth = 1 if point in ("lease.taken", "plan.written") else chance.randrange(1, 7)
        story = _Stall(Scene(ground, setting), f"fence-{index}", Arm(point, nth, signal.SIGSTOP)).live()
        yield story
        if story.struck or story.violations:
            return


class _Stall(Lives):
    """The scenario of a stalled worker."""

    def __init__(self, scene: Scene, name: str, arm: Arm) -> None:
        super().__init__(scene, name)
        self._arm = arm

    def go_on(self, command: list[str] | None) -> None:
        assert command is not None
        first = self.scene.start(command, arm=self._arm)
        self._stale = first.pid
        self.story.processes += 1
        if not first.wait_for_stop():
            super().go_on(self._after(first.end(), command))
            return
        self.story.struck[f"stalled at {self._arm.point}"] += 1
        try:
            self._look()
            second = self._second() if self._sight is not None else None
            self._look()
            first.go_on()
            stale = first.end()
        finally:
            first.make_sure()
        self._check_stale(stale, second)
        if second is None:
            super().go_on(self._after(stale, command))
            return
        self._look()
        super().go_on(self._after(second, self._resume()))

    def _second(self) -> Ended:
        """Another worker takes the branch over and goes on until it ends or waits."""
        self.story.processes += 1
        return self.scene.start(self._resume()).end()

    def _check_stale(self, stale: Ended, second: Ended | None) -> None:
        if second is None:
            return
        told: dict[str, Any] = document(stale.out)
        error = told.get("error")
        if isinstance(error, dict) and error.get("type") in _STALE:
            if stale.code == 0:
                self.story.violations.append("the stale worker says that it failed, and exits with 0")
            return
        sight = self.scene.sight()
        if self._arm.point in _IDLE and sight is not None and told.get("head") in sight.commits:
            return  # it had nothing left to do, and what it says is so
        self.story.violations.append(
            f"stalled at {self._arm.point} ({self._arm.nth}), the stale worker says {stale.code}:"
            f" {stale.out[:300]}{stale.err[:300]}"
        )
