"""One history, whatever the width and in whatever order calls end: random plans, random delays."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from random_plans import TOOLS, random_steps
from rig import LIMITS, START_MS, Clock, Rig, assign, call, jump

from app.tools import Tool, tool
from app.vm.caller import Answer, Caller, Request
from app.vm.calls import Outcome

PLANS = int(os.environ.get("TEST_RANDOM_PLANS", "100"))
"""The full size is 1,000."""

WIDE = 8


class RecordedCaller(Caller):
    """Gives every outcome the times that belong to its place: the effect records are the same in every run."""

    def answered(self, request: Request, performed: Outcome) -> Answer:
        place = request.place
        number = int.from_bytes(sha256(repr(place).encode()).digest()[:3])
        started = START_MS + number
        times = {"started_ms": started, "ended_ms": started + number % 5_000}
        return super().answered(request, replace(performed, **times))


class Dawdling:
    """Tools that take a while, another one each time, and now and then none at all."""

    def __init__(self, seed: int, longest: float = 0.003) -> None:
        self._chance = random.Random(seed)
        self._longest = longest
        self._lock = threading.Lock()
        self.most, self._running = 0, 0

    def tools(self, tools: list[Tool]) -> list[Tool]:
        return [replace(each, function=self._slowed(each.function)) for each in tools]

    def _slowed(self, function: Any) -> Any:
        def slowed(**arguments: Any) -> Any:
            with self._lock:
                self._running += 1
                self.most = max(self.most, self._running)
                nap = self._chance.choice([0.0, self._chance.uniform(0, self._longest)])
            time.sleep(nap)
            try:
                return function(**arguments)
            finally:
                with self._lock:
                    self._running -= 1

        return slowed


def recorded_rig(plan: list[dict[str, Any]], tools: list[Tool], **limits: int) -> Rig:
    """A rig whose outcomes have the times of their places, however long that takes."""
    allowed = {**LIMITS, "seconds": 10**9, **limits}
    return Rig(plan, tools, clock=Clock(tick_ms=0), limits=allowed, caller_type=RecordedCaller)


def history_of(
    plan: list[dict[str, Any]], tools: list[Tool], width: int, **limits: int
) -> tuple[list[str], Rig]:
    """The ids of a run, oldest first. A failed run is resumed once."""
    rig = recorded_rig(plan, tools, **limits)
    if rig.run(width=width).status == "failed":
        rig.run(width=width)
    return [commit.id for commit in rig.repository.log(rig.head())][::-1], rig


@pytest.mark.parametrize("seed", range(PLANS))
def test_the_history_is_the_same_at_any_width_and_in_any_order(seed: int) -> None:
    steps = random_steps(seed)
    expected, _ = history_of(steps, TOOLS, 1)
    for attempt in range(2):
        found, rig = history_of(steps, Dawdling(1_000 * seed + attempt).tools(TOOLS), WIDE)
        assert found == expected
    assert rig.replay().divergence is None
    assert rig.ledger.effect_places("main") == set() or rig.state().status != "completed"


@pytest.mark.parametrize("seed", range(0, PLANS, 4))
def test_a_step_limit_ends_the_run_at_the_same_step(seed: int) -> None:
    steps = random_steps(seed)
    most = 3 + seed % 11
    expected, _ = history_of(steps, TOOLS, 1, steps=most)
    assert history_of(steps, Dawdling(seed).tools(TOOLS), WIDE, steps=most)[0] == expected


class Cells:
    """What lies outside: cells that tools read and write."""

    def __init__(self) -> None:
        self.cells: dict[str, int] = {}

    def tools(self) -> list[Tool]:
        @tool(effect="read", version="1")
        def get(cell: str, after: Any = None) -> int:
            """What the cell holds."""
            return self.cells.get(cell, 0)

        @tool(effect="write", version="1")
        def put(cell: str, value: int) -> int:
            """Set the cell."""
            self.cells[cell] = value
            return value

        @tool(effect="pure", version="1")
        def mix(a: int, b: int) -> int:
            """A number of two."""
            return (31 * a + b + 7) % 1_009

        return [get, put, mix]


def cell_steps(seed: int) -> list[dict[str, Any]]:
    """Few variables, set again and again; few cells, read and written in turn; sometimes a loop around it all."""
    chance = random.Random(seed)
    names, cells = ["a", "b", "c", "d"], ["x", "y", "z"]
    steps = [assign(0, a=1, b=2, c=3, d=4, round=0)]
    for number in range(1, chance.randrange(10, 40)):
        one, other, target = chance.choice(names), chance.choice(names), chance.choice(names)
        cell, kind = chance.choice(cells), chance.randrange(8)
        if kind < 3:
            steps.append(call(number, "get", target, {"cell": cell, "after": f"${{{one}}}"}))
        elif kind == 3:
            steps.append(call(number, "put", target, {"cell": cell, "value": f"${{{one}}}"}))
        elif kind < 6:
            steps.append(call(number, "mix", target, {"a": f"${{{one}}}", "b": f"${{{other}}}"}))
        elif kind == 6:
            steps.append(assign(number, **{target: f"${{{{ {one} + {other} }}}}", one: f"${{{target}}}"}))
        else:
            items = chance.sample(cells, 2)
            last = f"${{{{ {target}[1] }}}}"
            steps.append(
                call(number, "get", target, {"cell": "${item}", "after": f"${{{one}}}"}, for_each=items)
            )
            steps.append(assign(number + 1_000, **{target: last}))
    steps = [{**step, "seq_no": seq_no} for seq_no, step in enumerate(steps)]
    end = len(steps)
    if chance.random() < 0.4:
        steps.append(assign(end, round="${{ round + 1 }}"))
        steps.append(jump(end + 1, condition="round < 3", jump_if_true=1))
    return [*steps, assign(end + 2, final_answer="${{ [a, b, c, d] }}")]


@pytest.mark.parametrize("seed", range(PLANS))
def test_no_step_reads_what_is_stale_or_to_come(seed: int) -> None:
    steps = cell_steps(seed)
    slowly, wide = Cells(), Cells()
    expected, one = history_of(steps, slowly.tools(), 1)
    found, other = history_of(steps, Dawdling(seed).tools(wide.tools()), WIDE)
    assert (other.variables(), wide.cells) == (one.variables(), slowly.cells)
    assert found == expected


def test_the_random_plans_are_worth_it() -> None:
    widths = []
    for seed in range(20):
        slow = Dawdling(seed)
        history_of(cell_steps(seed), slow.tools(Cells().tools()), WIDE)
        widths.append(slow.most)
    assert max(widths) >= 4
    assert sum(width > 1 for width in widths) > 15
