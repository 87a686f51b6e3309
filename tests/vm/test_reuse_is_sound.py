"""Random edits of random plans: revised with reuse, a run ends as one from scratch, and asks nothing needlessly.

The tools read and write shared cells, so what a call gives depends on the writes before it. Before a revised run the
cells are put back to what they were at the fork point, as a person would a test system.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from random_revisions import Runs, edited, numbered, random_plan

EDITS = int(os.environ.get("REUSE_EDITS", "500"))
"""How many edits are tried; the full proof has 5,000."""


@pytest.mark.parametrize("part", range(10))
def test_a_revised_run_ends_as_one_from_scratch_and_asks_nothing_twice(part: int) -> None:
    reused = 0
    for seed in range(part * EDITS // 10, (part + 1) * EDITS // 10):
        chance = random.Random(seed)
        steps = random_plan(chance)
        runs = Runs(numbered(steps, chance))
        runs.run()
        branch = "main"
        for revision in range(chance.randrange(1, 3)):
            steps = edited(steps, chance)
            plan, name = numbered(steps, chance), f"r{revision}"
            known = [runs.answered(each) for each in runs.rig.repository.branches()]
            made = runs.revise(plan, name, branch)
            scratch = Runs(plan)
            scratch.run()
            assert runs.rig.variables(name) == scratch.rig.variables(), f"seed {seed}"
            assert runs.world.cells == scratch.world.cells, f"seed {seed}"
            assert runs.rig.replay(name).divergence is None, f"seed {seed}"
            mine = runs.answered(name)
            for asked, times in Counter(made).items():
                if mine[asked]:  # the tools are functions of what they see: what fails, fails always
                    had = max(answers[asked] for answers in known)
                    assert times <= max(0, mine[asked] - had), f"seed {seed}: {asked}"
            reused += sum(mine.values()) - len(made)
            branch = name
    assert reused > 0, "nothing was reused at all"
