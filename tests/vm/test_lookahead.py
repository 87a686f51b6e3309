"""Looking ahead: what may start is found as it comes to be, and at no more cost than there are steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from rig import assign, call
from test_stretches import role_of

from app.plan.parse import plan_from_json
from app.vm.interpreter import Interpreter
from app.vm.lookahead import Lookahead
from app.vm.state import State, Transition
from app.vm.stretches import Stretches

Steps = Sequence[Mapping[str, Any]]


def lookahead(steps: Steps, kind: type[Lookahead] = Lookahead, **variables: Any) -> Lookahead:
    plan = plan_from_json(list(steps))
    state = State(variables, plan.steps[0].seq_no)
    return kind(Stretches(plan, role_of).at(plan.steps[0].seq_no), state, Interpreter(plan).begin, 10**6)


def taken(ahead: Lookahead) -> list[int]:
    """The positions of all calls that may start now."""
    found = []
    while (ready := ahead.peek()) is not None:
        ahead.take()
        found.append(ready.position)
    return found


def gives(**variables: Any) -> Transition:
    return Transition(None, variables)


def test_a_call_is_ready_when_the_last_of_its_sources_has_ended() -> None:
    ahead = lookahead(
        [
            call(0, "look", "a", {"x": 1}),
            call(1, "look", "b", {"x": 1}),
            assign(2, c="${{ a + b }}"),
            call(3, "look", "d", {"x": ["${a}", "${b}", "${c}", "${outside}"]}),
        ],
        outside="o",
    )
    assert taken(ahead) == [1]
    ahead.finished(1, gives(b=2))
    assert taken(ahead) == []
    ahead.finished(0, gives(a=1))
    ready = ahead.peek()
    assert ready is not None and ready.effect.seq_no == 3
    assert ready.effect.inputs == {"x": [1, 2, 3, "o"]}


def test_what_waits_for_the_commit_of_a_change_is_ready_behind_it_and_not_before() -> None:
    ahead = lookahead(
        [call(n, tool, f"v{n}") for n, tool in enumerate(["look", "put", "look", "pure", "look"])]
    )
    assert taken(ahead) == [3]
    ahead.finished(0, gives(v0=0))
    ahead.committed()
    ahead.finished(1, gives(v1=1))
    assert taken(ahead) == []
    ahead.committed()
    assert taken(ahead) == [2, 4]


def test_a_step_whose_turn_has_come_is_not_looked_at() -> None:
    ahead = lookahead([call(n, "look", f"v{n}") for n in range(4)])
    ahead.finished(0, gives(v0=0))
    ahead.committed()
    ahead.at_turn()
    assert taken(ahead) == [2, 3]


def test_who_has_inputs_that_nobody_knows_yet_can_be_asked() -> None:
    ahead = lookahead(
        [
            call(0, "look", "a"),
            call(1, "look", "b", {"x": "${a}"}),
            call(2, "put", "c"),
            call(3, "pure", "d"),
            call(4, "pure", "e", {"x": "${b}"}),
            call(5, "pure", "f"),
        ]
    )
    ahead.at_turn()
    assert [step.seq_no for step in ahead.unresolved_calls(5)] == [1, 2, 3, 4]
    assert taken(ahead) == [3, 5]
    assert [step.seq_no for step in ahead.unresolved_calls(5)] == [1, 2, 4]
    ahead.finished(0, gives(a=1))
    assert taken(ahead) == [1]
    ahead.committed()
    ahead.at_turn()
    assert [step.seq_no for step in ahead.unresolved_calls(5)] == [2, 4]


def independent(count: int) -> Steps:
    return [call(n, "look", f"v{n}", {"x": n}) for n in range(count)]


def chained(count: int) -> Steps:
    return [call(n, "look", f"v{n}", {"x": f"${{v{max(0, n - 1)}}}"}) for n in range(count)]


def joined(count: int) -> Steps:
    everything = [f"${{v{n}}}" for n in range(count)]
    return [*independent(count), call(count, "look", "all", {"x": everything}), call(count + 1, "look", "b")]


class Counting(Lookahead):
    """Counts how often a step is looked at, and how often a variable is looked for."""

    looks = reads = 0

    def _look(self, position: int) -> None:
        self.looks += 1
        super()._look(position)

    def _read(self, name: str, source: int, variables: dict[str, Any]) -> int | None:
        self.reads += 1
        return super()._read(name, source, variables)


@pytest.mark.parametrize("shape", [independent, chained, joined])
@pytest.mark.parametrize("backwards", [False, True])
def test_every_step_is_looked_at_about_once_a_source(shape: Callable[[int], Steps], backwards: bool) -> None:
    steps = shape(400)
    ahead = lookahead(steps, Counting, v0=0)
    assert isinstance(ahead, Counting)
    order = list(range(len(steps)))
    for position in reversed(order) if backwards and shape is not chained else order:
        taken(ahead)
        ahead.finished(position, gives(**{f"v{position}": 0, "all": 0, "b": 0}))
        if not backwards and position + 1 < len(steps):
            ahead.committed()
            ahead.at_turn()
    edges = sum(len(each.sources) for each in ahead.stretch.steps)
    assert ahead.looks <= len(steps) + edges
    assert ahead.reads <= 2 * edges
