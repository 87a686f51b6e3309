"""Says what is wrong: compares what the world saw with what StackVM promises."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chaos.plans import RandomPlan
from chaos.world import BEGUN, DECIDED, DONE, KILLED, RAISED, REFUSED, WRITING, WRITTEN, Line, Place, number

WINDOW_SECONDS: Final = 0.1
"""For so long after it came back from a tool an answer may be nowhere but in memory. The product gathers answers for
5 ms and commits for 50; the rest is a machine that has other things to do."""


@dataclass(frozen=True, slots=True)
class Reasked:
    """A call without effect that was made again although its answer had come. ``age``: seconds from its coming to
    the kill, or to the write to stable storage that the kill met; ``None`` where nothing was killed in between."""

    tool: str
    age: float | None


@dataclass(slots=True)
class Findings:
    """``violations`` are what must never be; ``reasked`` are all calls asked again, however young their answer."""

    violations: list[str] = field(default_factory=list)
    reasked: list[Reasked] = field(default_factory=list)


def judge_world(lines: Sequence[Line], plan: RandomPlan, stale: int | None = None) -> Findings:
    """What the ledger says of a scenario that came to its end.

    ``stale`` is a process that was stalled: what it looks up afterwards, before it notices, is asked twice.
    """
    findings = Findings()
    findings.violations += _twice(lines)
    findings.violations += _under_other_keys(lines)
    findings.violations += _changes(lines, plan)
    for again in _asked_again([line for line in lines if not _is_late(line, lines, stale)]):
        findings.reasked.append(again)
        if again.age is None:
            findings.violations.append(f"{again.tool} was asked again, and nothing had been killed")
        elif again.age > WINDOW_SECONDS:
            findings.violations.append(
                f"{again.tool} was asked again {again.age * 1000:.0f} ms after its answer had come"
            )
    return findings


def _of_effect(lines: Iterable[Line], *effects: str) -> Iterator[Line]:
    return (line for line in lines if line.effect in effects)


def _twice(lines: Sequence[Line]) -> Iterator[str]:
    """Irreversible calls that took effect twice, or were begun again though nobody had said so."""
    done: Counter[Place | None] = Counter()
    begun: set[Place | None] = set()
    for line in lines:
        if line.what == DECIDED and line.value == "run":
            begun.discard(line.place)
        if line.effect != "irreversible":
            continue
        if line.what == BEGUN:
            if line.place in begun:
                yield f"irreversible {line.tool} was begun again at {_shown(line.place)}"
            begun.add(line.place)
        elif line.what == REFUSED:
            begun.discard(line.place)
        elif line.what == DONE:
            done[line.place] += 1
    yield from (
        f"irreversible call at {_shown(place)} took effect {n} times" for place, n in done.items() if n > 1
    )


def _under_other_keys(lines: Sequence[Line]) -> Iterator[str]:
    """Calls that change something, made at one place under several keys, or at several places under one."""
    keys: dict[Any, set[str | None]] = {}
    places: dict[str | None, set[Any]] = {}
    for line in _of_effect(lines, "write", "irreversible"):
        keys.setdefault(line.place, set()).add(line.key)
        places.setdefault(line.key, set()).add(line.place)
    for place, found in keys.items():
        if len(found) > 1 or None in found:
            yield f"the call at {_shown(place)} was made under {len(found)} keys"
    for key, there in places.items():
        if len(there) > 1:
            yield f"key {str(key)[:8]} was used at {len(there)} places"


def _changes(lines: Sequence[Line], plan: RandomPlan) -> Iterator[str]:
    """Changes that the plan makes and nobody saw, or the other way round."""
    made: Counter[tuple[str, int]] = Counter()
    places = {(line.place, line.tool): line for line in lines if line.what == DONE}
    for line in _of_effect(places.values(), "write", "irreversible"):
        made[line.tool, number(line.arguments)] += 1
    for (tool, _), n in (plan.changes - made).items():
        yield f"{n} call(s) of {tool} never took effect"
    for (tool, _), n in (made - plan.changes).items():
        yield f"{n} call(s) of {tool} took effect that the plan does not make"


def _is_late(line: Line, lines: Sequence[Line], stale: int | None) -> bool:
    """Whether the stale worker did it after it had been stalled. Other threads of it may go on for a moment."""
    stalled = next((each.time for each in lines if each.what == KILLED and each.pid == stale), None)
    return line.pid == stale and line.what != KILLED and stalled is not None and line.time >= stalled


def _asked_again(lines: Sequence[Line]) -> Iterator[Reasked]:
    """Reads that were asked again after their answer. An error is no answer: it may be tried again."""
    answered: dict[Any, float] = {}
    kills: list[tuple[float, float]] = []  # and since when the process that died had been writing
    writing: float | None = None
    for line in lines:
        if line.what in (WRITING, WRITTEN):
            writing = line.time if line.what == WRITING else None
        if line.what == KILLED:
            kills.append((line.time, line.time if writing is None else writing))
            writing = None
        if line.effect != "read":
            continue
        if line.what == BEGUN and line.asked in answered:
            came = answered.pop(line.asked)
            after = [since for moment, since in kills if moment >= came]
            yield Reasked(line.tool, max(0.0, after[0] - came) if after else None)
        elif line.what == DONE:
            answered[line.asked] = line.time


def _shown(place: Any) -> str:
    if place is None:
        return "no place"
    item = f" item {place.item}" if place.item is not None else ""
    return f"{place.branch} step {place.step} visit {place.visit}{item}"


def right_choice(
    lines: Sequence[Line], waiting: dict[str, Any], branch: str
) -> tuple[str, list[str], Place | None]:
    """What somebody decides who looked outside: the choice, its options, and the place it is about."""
    here = [
        line
        for line in lines
        if line.place is not None
        and line.place[1:] == (branch, waiting["step"], waiting["visit"], waiting["item"])
        and line.what in (BEGUN, DONE, RAISED, REFUSED)
    ]
    place = here[-1].place if here else None
    done = [line for line in here if line.what == DONE]
    if done:
        return "skip", ["--skip", json.dumps(done[-1].value)], place
    if here and here[-1].what == RAISED:
        return "fail", ["--fail"], place
    return "run", ["--run"], place
