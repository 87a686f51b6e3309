"""The plans that faults are sown into: each is run first, several times, to see that it is valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.plan.parse import plan_from_json
from app.tools.registry import Catalog
from benchmarks.faults.edits import Mention, mentions
from benchmarks.faults.random_plans import random_plan
from benchmarks.faults.running import DOES_NOT_END, run
from benchmarks.faults.world import World
from benchmarks.faults.written import WRITTEN, Steps

CHANCES: Final = 6
"""How often each plan is run, each time with other results, failures and judgements."""

_EXAMPLES: Final = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Subject:
    """A valid plan. ``executed`` are the indices of the steps that some run came to."""

    name: str
    steps: Steps
    executed: frozenset[int]
    world: World
    mentions: tuple[Mention, ...]

    @property
    def catalog(self) -> Catalog:
        """The tools that the namespace allows."""
        return self.world.catalog

    def is_endless(self, steps: Steps) -> bool:
        """Whether no run of the steps ends, whatever chance has in store: so far as some runs can show it."""
        plan = plan_from_json(steps)
        return all(run(plan, self.world, chance).problem == DOES_NOT_END for chance in range(CHANCES // 2))

    def parameters(self, tool: str) -> dict[str, Any]:
        """The schema of a tool's arguments."""
        signature = self.catalog.signature(tool)
        assert signature is not None
        return dict(signature.parameters)

    def result(self, tool: str) -> dict[str, Any] | None:
        """The schema of a tool's result, where it has one that says something."""
        signature = self.catalog.signature(tool)
        assert signature is not None
        return dict(signature.result) if signature.result else None


class NotValid(Exception):
    """A plan that was to be valid did not run to its answer."""


def subjects(world: World, seeds: range) -> Iterator[Subject]:
    """The examples, the written plans and a random plan a seed. Raises :class:`NotValid`."""
    for path in sorted(_EXAMPLES.glob("*.json")):
        yield subject(world, path.name, json.loads(path.read_text(encoding="utf-8"))["steps"])
    for name, steps in WRITTEN.items():
        yield subject(world, name, steps)
    for seed in seeds:
        yield subject(world, f"random {seed}", random_plan(seed))


def subject(world: World, name: str, steps: Steps) -> Subject:
    """The plan, after it ran to an answer every time."""
    plan = plan_from_json(steps)
    executed: set[int] = set()
    for chance in range(CHANCES):
        trace = run(plan, world, chance)
        if trace.problem is not None:
            raise NotValid(f"{name}, chance {chance}: {trace.problem}")
        executed |= trace.executed
    indices = frozenset(index for index, step in enumerate(steps) if step["seq_no"] in executed)
    return Subject(name, steps, indices, world, tuple(mentions(steps)))
