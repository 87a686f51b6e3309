"""What a revision is said to do, it does: random revisions, each run after it was foreseen."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from random_revisions import Runs, Steps, edited, numbered, random_plan, random_step

from app.plan.parse import plan_from_json
from app.services.revising import Past
from app.vm.answers import CallReader
from app.vm.foresight import Foreseen, Foresight
from app.vm.interpreter import Interpreter
from app.vm.origins import origins_of
from app.vm.reuse import Earlier, Reuse, Source
from app.vm.state import COMPLETED, RUNNING, State

Place = tuple[int, int]


def foresee(runs: Runs, steps: Steps, branch: str) -> tuple[int, list[Foreseen]]:
    """How many commits the revision will have in common with ``branch``, and what it will do then."""
    rig = runs.rig
    commits = list(rig.repository.log(rig.head(branch)))[::-1]
    plan = plan_from_json(list(steps))
    fork = Past(rig.repository, rig.ledger, branch, commits, lambda tool: tool).fork_point(plan)
    state = State.of(rig.repository.reader.snapshot(fork.commit.tree))
    state.pc, state.visits = fork.pc, dict(fork.visits)
    state.status = COMPLETED if fork.pc is None else RUNNING
    reader = CallReader(rig.repository)
    others = sorted(set(rig.repository.branches()) - {branch})
    sources = [Source(name, rig.head(name)) for name in (branch, *others)]
    earlier = Earlier(reader, reader.line(fork.commit.oid), sources)
    reuse = Reuse(lambda: earlier, rig.ledger, lambda mind: True)
    seen = Foresight(Interpreter(plan), state, rig.tools, reuse).look()
    return len(commits) - len(fork.beyond), seen


def done(record: dict[str, Any]) -> tuple[str, int | None]:
    """What became of a call, and how many of its items took an earlier result."""
    if "count" not in record:
        return ("reuse" if "from_commit" in record else "run"), None
    taken = len(origins_of(record))
    return ("reuse" if taken == record["count"] else "run"), taken


@pytest.mark.parametrize("part", range(4))
def test_what_is_foreseen_happens(part: int) -> None:
    tally: Counter[tuple[str, str]] = Counter()
    for seed in range(part * 75, (part + 1) * 75):
        chance = random.Random(seed)
        steps = random_plan(chance)
        runs = Runs(numbered(steps, chance))
        runs.run()
        steps = edited(steps, chance)
        if chance.random() < 0.3:
            steps.insert(chance.randrange(1, len(steps) + 1), random_step(chance))
        plan = numbered(steps, chance)
        kept, foreseen = foresee(runs, plan, "main")
        runs.revise(plan, "r", "main")
        happened = [record for record in runs.rig.records("r")[kept + 1 :] if "inputs" in record]
        happened = [record for record in happened if record.get("count") != 0]
        places = [(record["seq_no"], record["visit"]) for record in happened]
        told = [(each.seq_no, each.visit) for each in foreseen]
        short = min(len(places), len(told))
        assert told[:short] == places[:short], f"seed {seed}"
        for each, record in zip(foreseen, happened, strict=False):
            what, taken = done(record)
            tally[each.will, what] += 1
            if each.will != "depends":
                assert each.will == what, f"seed {seed}: {each}"
                assert each.reused is None or each.reused == taken, f"seed {seed}: {each}"
    assert tally["reuse", "reuse"] > 20 and tally["run", "run"] > 20 and tally["depends", "reuse"] > 0
