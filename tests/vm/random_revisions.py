"""Random plans, random edits of them, and a world that tells what every call could see."""

from __future__ import annotations

import copy
import random
from collections import Counter
from hashlib import sha256
from typing import Any

from plans import assign, call, jump
from rig import Rig

from app.tools import Tool, tool
from app.vm.events import Event, StepCommitted

Steps = list[dict[str, Any]]
CELLS = ("p", "q")
VARIABLES = ("a", "b", "c", "d")


def number(value: Any) -> int:
    return int.from_bytes(sha256(repr(value).encode()).digest()[:2]) % 50


class World:
    """Cells, what they were after every commit, and every call with what it could see."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.after: dict[str, dict[str, Any]] = {}
        self.writes: list[Any] = []
        self.made: list[str] = []

    def tools(self) -> list[Tool]:
        cells, made = self.cells, self.made

        @tool(effect="pure", version="1")
        def mix(x: Any, y: Any = 0) -> int:
            """A function of its arguments; fails for some."""
            made.append(repr(("mix", x, y)))
            if number((x, y)) == 7:
                raise ValueError("seven")
            return number(["mix", x, y])

        @tool(effect="read", version="1")
        def get(cell: str, salt: Any = 0) -> int:
            """What a cell holds, salted; fails for some."""
            made.append(repr(("get", cell, salt, self.writes)))
            found = number([cells.get(cell), salt])
            if found == 11:
                raise LookupError("eleven")
            return found

        @tool(effect="write", version="1")
        def put(cell: str, value: Any) -> str:
            """Sets a cell."""
            cells[cell] = value
            self.writes.append(("put", cell, value))
            return f"{cell}={value}"

        return [mix, get, put]

    def reset(self, cells: dict[str, Any], writes: list[Any]) -> None:
        self.cells.clear()
        self.cells.update(cells)
        self.writes = list(writes)
        self.made.clear()


class Runs:
    """A rig whose world is remembered at every commit."""

    def __init__(self, steps: Steps) -> None:
        self.world = World()
        self.rig = Rig(steps, self.world.tools())
        self.states: dict[str, tuple[dict[str, Any], list[Any]]] = {}

    def remember(self, event: Event) -> None:
        if isinstance(event, StepCommitted):
            self.states[event.commit] = dict(self.world.cells), list(self.world.writes)

    def run(self, branch: str = "main", forked_from: str | None = None) -> None:
        self.rig.run(branch, listener=self.remember, forked_from=forked_from)

    def revise(self, steps: Steps, name: str, branch: str) -> list[str]:
        """Revise and run; gives the calls that were made."""
        revised = self.rig.revise(name, steps, branch)
        before = self.states.get(revised.fork_point, ({}, []))
        self.states[revised.commit] = before
        self.world.reset(*before)
        self.run(name, forked_from=branch)
        return list(self.world.made)

    def answered(self, branch: str) -> Counter[str]:
        """How often each call was answered in a run, worked out from its records alone."""
        found: Counter[str] = Counter()
        writes: list[Any] = []
        for record in self.rig.records(branch):
            if record["kind"] != "step" or "inputs" not in record:
                continue
            rows = [record["inputs"]]
            if "count" in record:
                rows = [
                    {
                        **record["inputs"],
                        **{name: column[item] for name, column in record["item_inputs"].items()},
                    }
                    for item in range(len(record["values"]))
                ]
            for item, row in enumerate(rows):
                failed = "error" in record or str(item) in record.get("errors", {})
                if record["tool"] == "put":
                    writes.append(("put", row["cell"], row["value"]))
                elif not failed:
                    found[call_of(record["tool"], row, writes)] += 1
        return found


def call_of(name: str, row: dict[str, Any], writes: list[Any]) -> str:
    if name == "mix":
        return repr(("mix", row["x"], row.get("y", 0)))
    return repr(("get", row["cell"], row.get("salt", 0), writes))


def random_plan(chance: random.Random) -> Steps:
    steps = [assign(0, a=1, b=2, c=3, d=4, n=0)]
    steps += [random_step(chance) for _ in range(chance.randrange(2, 12))]
    if chance.random() < 0.4:
        at = chance.randrange(1, len(steps) + 1)
        steps.insert(at, {"loop": chance.randrange(1, at + 1), "times": chance.randrange(2, 4)})
    return steps


def random_step(chance: random.Random) -> dict[str, Any]:
    name, other = chance.choice(VARIABLES), chance.choice(VARIABLES)
    kind = chance.randrange(7)
    value: Any = f"${{{other}}}" if chance.random() < 0.6 else chance.randrange(4)
    if kind == 0:
        return assign(0, **{name: value})
    if kind == 1:
        return call(0, "mix", name, {"x": value, "y": chance.randrange(3)}, on_error="continue")
    if kind in (2, 3):
        return call(0, "get", name, {"cell": chance.choice(CELLS), "salt": value}, on_error="continue")
    if kind == 4:
        return call(0, "put", None, {"cell": chance.choice(CELLS), "value": value})
    if kind == 5:
        items = [chance.randrange(3) for _ in range(chance.randrange(4))]
        return call(0, "get", name, {"cell": chance.choice(CELLS), "salt": "${item}"},
                    for_each=items, on_error="continue")  # fmt: skip
    return call(0, "mix", name, {"x": value, "y": f"${{{name}}}"}, on_error="continue")


def edited(steps: Steps, chance: random.Random) -> Steps:
    """A changed, inserted, deleted or moved step, or a new plan."""
    steps = copy.deepcopy(steps)
    for _ in range(chance.randrange(1, 3)):
        kind = chance.randrange(9)
        at = chance.randrange(1, len(steps)) if len(steps) > 1 else 1
        if kind == 0:
            steps = random_plan(chance)
        elif kind in (1, 2) or len(steps) == 1:
            steps.insert(at, random_step(chance))
        elif kind in (3, 4):
            del steps[at]
        elif kind in (5, 6):
            steps.insert(chance.randrange(1, len(steps) + 1), steps.pop(at))
        else:
            steps[at] = random_step(chance)
    return steps


def numbered(steps: Steps, chance: random.Random) -> Steps:
    """The steps with numbers of their own, and the loop as a jump back."""
    gap, start = chance.randrange(1, 4), chance.randrange(3)
    made: Steps = []
    for step in steps:
        seq_no = start + gap * len(made)
        if "loop" not in step:
            made.append({**step, "seq_no": seq_no})
            continue
        target = made[min(step["loop"], len(made) - 1)]["seq_no"] if len(made) > 1 else seq_no
        made.append(assign(seq_no, n="${{ n + 1 }}"))
        condition = f"n < {step['times']}"
        made.append(jump(seq_no + gap, condition=condition, jump_if_true=max(target, made[1]["seq_no"])))
    made.append(assign(start + gap * len(made), final_answer="${{ [a, b, c, d] }}"))
    return made
