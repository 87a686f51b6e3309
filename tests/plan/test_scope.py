"""What a step may read, for editors."""

from __future__ import annotations

import json

from plans import assign, call

from app.plan.parse import parse_plan
from app.plan.scope import variables_in_scope


def scope(seq_no: int, *steps: object) -> dict[str, tuple[bool, tuple[int, ...]]]:
    found = variables_in_scope(parse_plan(json.dumps({"version": 1, "steps": steps})), seq_no)
    return {each.name: (each.always, each.set_by) for each in found}


def test_what_every_path_sets_is_told_from_what_some_set() -> None:
    steps = [
        assign(1, a=1),
        {"seq_no": 2, "type": "jmp", "parameters": {"condition": "a > 1", "jump_if_true": 4}},
        assign(3, b=2),
        assign(4, final_answer="${a}"),
    ]
    assert scope(4, *steps) == {"a": (True, (1,)), "b": (False, (3,))}
    assert scope(3, *steps) == {"a": (True, (1,))}
    assert scope(1, *steps) == {}


def test_what_only_a_loop_sets_is_not_there_when_the_run_first_comes_by() -> None:
    steps = [
        assign(1, i=0),
        call(2, "look", "seen", {"value": "${i}"}),
        assign(3, i="${i} + 1"),
        {"seq_no": 4, "type": "jmp", "parameters": {"condition": "i < 3", "jump_if_true": 2}},
        assign(5, final_answer="${seen}"),
    ]
    assert scope(2, *steps) == {"i": (True, (1, 3))}
    assert scope(5, *steps) == {"i": (True, (1, 3)), "seen": (True, (2,))}


def test_no_step_and_a_step_that_nothing_leads_to_have_none() -> None:
    steps = [assign(1, a=1, final_answer=1), assign(2, b=2)]
    assert scope(9, *steps) == {}
    assert scope(2, *steps) == {}
