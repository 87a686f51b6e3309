"""The interpreter is total: whatever plan the parser accepts, a step is done, fails as that step's error, or asks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_plans import TOOLS
from rig import LIMITS, Clock, Rig, assign

from app.errors import InputError
from app.plan.parse import plan_from_json
from app.vm.instructions import INSTRUCTIONS
from app.vm.interpreter import Interpreter
from app.vm.state import State, Transition

texts = st.sampled_from(
    [
        "${a}", "${b[0]}", "${b[9].x}", "${missing}", "x ${a} y", "$${a}", "${{ a + 1 }}", "${{ b + [a] }}",
        "${{ a / 0 }}", "${{ b * 3 }}", "${{ len(b) > 2 }}", "${{ c['k'] }}", "${a} * 2 + ${a}", "plain", "",
        "${{ 'x' * 100000 }}", "${{ [c] * 4 }}", "${{ {'k': c} }}", "${item}", "${error.message}",
    ]
)  # fmt: skip
values = st.recursive(
    texts | st.integers(-3, 3) | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kxy"), inner, max_size=2),
    max_leaves=5,
)
names = st.sampled_from(["a", "b", "c", "d", "error", "final_answer"])
targets = st.integers(0, 6)
on_errors = st.sampled_from(["fail", "continue"]) | st.builds(lambda target: {"goto": target}, targets)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    parameters = {
        "tool_name": draw(st.sampled_from(["mix", "find", "put", "pay", "nobody"])),
        "tool_params": draw(
            st.dictionaries(st.sampled_from(["a", "b", "key", "amount"]), values, max_size=2)
        ),
        "output_vars": draw(names | st.just(["n", "text"]) | st.just({"d": "n"})),
        "on_error": draw(on_errors),
    }
    if draw(st.booleans()):
        parameters["for_each"] = draw(st.lists(values, max_size=3) | texts)
    return {"type": "calling", "parameters": parameters}


jumps = st.one_of(
    st.builds(lambda target: {"target_seq": target}, targets),
    st.builds(
        lambda condition, yes: {"condition": condition, "jump_if_true": yes},
        st.sampled_from(["a > 1", "len(b) < 4", "a", "missing == 1", "true"]),
        targets,
    ),
).map(lambda parameters: {"type": "jmp", "parameters": parameters})
assigns = st.dictionaries(names, values, min_size=1, max_size=2).map(
    lambda parameters: {"type": "assign", "parameters": parameters}
)
plans = st.lists(assigns | calls() | jumps, min_size=1, max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_any_plan_ends_waits_or_reaches_its_limit_and_replays(steps: list[dict[str, Any]]) -> None:
    document = [assign(0, a=1, b=[1, 2], c={"k": "v"})]
    document += [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]
    try:
        rig = Rig(document, TOOLS, limits={**LIMITS, "steps": 40, "value_bytes": 200_000}, clock=Clock(0))
    except InputError:
        return  # the parser's business
    result = rig.run()
    assert result.status in ("completed", "failed", "waiting")
    assert rig.replay().divergence is None
    assert rig.run().status in ("completed", "failed", "waiting")
    assert rig.replay().divergence is None


def test_the_interpreter_changes_nothing() -> None:
    interpreter = Interpreter(plan_from_json([assign(0, a="${{ b + [1] }}")]))
    state = State(variables={"b": [0]}, pc=0)
    transition = interpreter.begin(state)
    assert isinstance(transition, Transition)
    assert transition.variables == {"a": [0, 1]}
    assert state == State(variables={"b": [0]}, pc=0)
    assert interpreter.begin(state) == transition


def test_the_table_has_every_type_of_the_language() -> None:
    assert set(INSTRUCTIONS) == {"assign", "calling", "jmp", "reasoning"}


def test_a_jump_to_nowhere_is_an_error_of_the_step_that_follows() -> None:
    rig = Rig([{"seq_no": 0, "type": "jmp", "parameters": {"target_seq": 7}}, assign(1, a=1)])
    assert rig.run().status == "failed"
    error = rig.state().error
    assert error is not None
    assert "no step 7" in error["message"]


@pytest.mark.parametrize("seq_nos", [[0], [5, 9], [0, 2**31 - 1]])
def test_the_first_step_is_the_first_of_the_list(seq_nos: list[int]) -> None:
    rig = Rig([assign(seq_no, **{f"v{seq_no}": 1}) for seq_no in seq_nos])
    rig.run()
    assert len(rig.variables()) == len(seq_nos)
