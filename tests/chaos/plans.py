"""Random plans for the tools of the toolbox, each with the answer that it must give and the changes it must make.

The answer is worked out beside the product: every step is made together with a function that does to plain Python
values what the step should do. Crashes have no part in it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from plans import assign, call, jump

from chaos.world import number

Values = dict[str, Any]
NAMES: Final = ["a", "b", "c", "d"]
STRIDE: Final = 10
"""Between two moves; those of more than one step use the numbers between."""

CHANGING: Final = {"put": "write", "shaky_put": "write", "pay": "irreversible", "apay": "irreversible",
                   "shy_pay": "irreversible", "bad_pay": "irreversible"}  # fmt: skip


class Oracle:
    """Runs moves; notes every call that changes something."""

    def __init__(self) -> None:
        self.values: Values = {}
        self.changes: Counter[tuple[str, int]] = Counter()
        self.judged = 0

    def call(self, tool: str, **arguments: Any) -> int:
        if tool in CHANGING:
            self.changes[tool, number(arguments)] += 1
        return number(tool, arguments)


@dataclass(frozen=True, slots=True)
class Move:
    """Some steps, and what they do: gives the position of the move to go to, ``None`` for the next."""

    steps: list[dict[str, Any]]
    act: Callable[[Oracle], int | None]


@dataclass(frozen=True, slots=True)
class RandomPlan:
    """``faulty``: what a model writes first. ``failing``: the plan whose last step fails, of which ``steps`` is the
    revision."""

    steps: list[dict[str, Any]]
    answer: Any
    changes: Counter[tuple[str, int]]
    failing: list[dict[str, Any]] = field(default_factory=list)
    faulty: list[dict[str, Any]] = field(default_factory=list)


def random_plan(seed: int, *, planned: bool = False) -> RandomPlan:
    """A plan of 5 to 12 moves, a loop around some of them in half of the plans.

    One that a model has ``planned`` has no step that fails before it succeeds: that would be revised.
    """
    chance = random.Random(f"plan {seed}")
    count = chance.randrange(5, 13)
    moves = [_start()]
    makers = chance.choices(list(MAKERS), weights=list(MAKERS.values()), k=count)
    if makers[-1] is _skip:
        makers[-1] = _assign  # there is nothing to skip
    for position, make in enumerate(makers, 1):
        move = make(chance, position * STRIDE, position)
        while planned and any(_is_stubborn(step) for step in move.steps):
            move = make(chance, position * STRIDE, position)
        moves.append(move)
    if chance.random() < 0.5:
        moves.append(_loop((count + 1) * STRIDE, chance.randrange(1, count + 1), chance.randrange(1, 3)))
    oracle = run_moves(moves)
    end = len(moves) * STRIDE
    names = [*NAMES, "rows", "some", "maybe", "round"]
    last = assign(end + 5, final_answer=f"${{{{ [{', '.join(names)}] }}}}")
    steps = [step for move in moves for step in move.steps]
    steps.append(assign(end, e=0))
    missing = call(end + 1, "nothing_there", "a", {"key": 1})
    broken = call(end + 1, "doomed_look", "e", {"key": 1})
    return RandomPlan(
        steps=[*steps, last],
        answer=[oracle.values[name] for name in names],
        changes=oracle.changes,
        failing=[*steps, broken, last],
        faulty=[*steps, missing, last],
    )


def run_moves(moves: list[Move]) -> Oracle:
    """What the plan does when nothing ever goes wrong."""
    oracle, position = Oracle(), 0
    while position < len(moves):
        following = moves[position].act(oracle)
        position = position + 1 if following is None else following
    return oracle


def is_bad(arguments: Values) -> bool:
    """Whether a ``bad_…`` tool fails for these arguments."""
    return number("bad", arguments) % 2 == 0


def _is_stubborn(step: dict[str, Any]) -> bool:
    return step["parameters"].get("tool_name") == "stubborn_look"


def _start() -> Move:
    values: Values = {"a": 1, "b": 2, "c": 3, "d": 4, "rows": [1, 2, 3], "some": [], "maybe": 0, "round": 0}

    def act(oracle: Oracle) -> None:
        oracle.values.update(values)

    return Move([assign(0, **values)], act)


def _assign(chance: random.Random, at: int, position: int) -> Move:
    one, other, target = (chance.choice(NAMES) for _ in range(3))

    def act(oracle: Oracle) -> None:
        oracle.values[target] = (oracle.values[one] + 3 * oracle.values[other]) % 1_000

    return Move([assign(at, **{target: f"${{{{ ({one} + 3 * {other}) % 1000 }}}}"})], act)


def _reasoning(chance: random.Random, at: int, position: int) -> Move:
    text = {"chain_of_thoughts": "nothing to do"}
    return Move([{"seq_no": at, "type": "reasoning", "parameters": text}], lambda oracle: None)


def _mix(chance: random.Random, at: int, position: int) -> Move:
    one, other, target = (chance.choice(NAMES) for _ in range(3))

    def act(oracle: Oracle) -> None:
        oracle.values[target] = oracle.call("mix", a=oracle.values[one], b=oracle.values[other])

    return Move([call(at, "mix", target, {"a": f"${{{one}}}", "b": f"${{{other}}}"})], act)


_ARGUMENT: Final = {"pay": "amount", "apay": "amount", "shy_pay": "amount", "bad_pay": "amount"}


def _single(*tools: str) -> Callable[[random.Random, int, int], Move]:
    """A call of one of these tools, which gives its number in the end."""

    def make(chance: random.Random, at: int, position: int) -> Move:
        tool, source, target = chance.choice(tools), chance.choice(NAMES), chance.choice(NAMES)
        name = _ARGUMENT.get(tool, "key")

        def act(oracle: Oracle) -> None:
            oracle.values[target] = oracle.call(tool, **{name: [oracle.values[source], at]})

        return Move([call(at, tool, target, {name: [f"${{{source}}}", at]})], act)

    return make


def _bad(chance: random.Random, at: int, position: int) -> Move:
    """A call that may fail, and a plan that goes on all the same."""
    tool, source = chance.choice(["bad_look", "bad_pay"]), chance.choice(NAMES)
    name, goes_on = _ARGUMENT.get(tool, "key"), chance.random() < 0.5
    on_error: Any = "continue" if goes_on else {"goto": at + 2}

    def act(oracle: Oracle) -> None:
        arguments = {name: [oracle.values[source], at]}
        if not is_bad(arguments):
            oracle.values["maybe"] = oracle.call(tool, **arguments)
            oracle.values["d"] = 7
        elif goes_on:
            oracle.values["maybe"] = None
            oracle.values["d"] = 7

    steps = [
        call(at, tool, "maybe", {name: [f"${{{source}}}", at]}, on_error=on_error),
        assign(at + 1, d=7),
        assign(at + 2, maybe="${{ 0 if maybe == null else maybe }}"),
    ]

    def whole(oracle: Oracle) -> None:
        act(oracle)
        oracle.values["maybe"] = oracle.values["maybe"] or 0

    return Move(steps, whole)


def _fan(chance: random.Random, at: int, position: int) -> Move:
    """One call an item, of any class."""
    tool = chance.choice(
        ["mix", "look", "alook", "shaky_look", "stubborn_look", "put", "shaky_put", "pay", "apay", "shy_pay"]
    )
    items = [chance.randrange(100) for _ in range(chance.randrange(2, 7))]
    literal = chance.random() < 0.5
    name, source, target = _ARGUMENT.get(tool, "key"), chance.choice(NAMES), chance.choice(NAMES)

    def act(oracle: Oracle) -> None:
        rows = []
        for item in items if literal else oracle.values["rows"]:
            value = [item, oracle.values[source], at]
            arguments = {"a": value, "b": at} if tool == "mix" else {name: value}
            rows.append(oracle.call(tool, **arguments))
        oracle.values["rows"] = rows
        oracle.values[target] = sum(rows) % 1_000

    value = ["${item}", f"${{{source}}}", at]
    arguments: Values = {"a": value, "b": at} if tool == "mix" else {name: value}
    fan = call(at, tool, "rows", arguments, for_each=items if literal else "${rows}")
    return Move([fan, assign(at + 1, **{target: "${{ sum(rows) % 1000 }}"})], act)


def _bad_fan(chance: random.Random, at: int, position: int) -> Move:
    """Items that may fail, and count as null."""
    items = [chance.randrange(100) for _ in range(chance.randrange(2, 7))]

    def act(oracle: Oracle) -> None:
        asked = [{"key": [item, at]} for item in items]
        oracle.values["some"] = [None if is_bad(each) else oracle.call("bad_look", **each) for each in asked]

    return Move(
        [call(at, "bad_look", "some", {"key": ["${item}", at]}, for_each=items, on_error="continue")], act
    )


def _skip(chance: random.Random, at: int, position: int) -> Move:
    """A jump over the next move where a condition holds."""
    name = chance.choice(NAMES)
    step = jump(at, condition=f"{name} % 2 == 0", jump_if_true=at + 2 * STRIDE)

    def act(oracle: Oracle) -> int | None:
        return position + 2 if oracle.values[name] % 2 == 0 else None

    return Move([step], act)


def _judge(chance: random.Random, at: int, position: int) -> Move:
    """A condition that a model judges; its replies are those of :func:`replies`."""
    name = chance.choice(NAMES)
    prompt = f"Step {at}, round ${{round}}: is ${{{name}}} even?"
    step = jump(at, condition_prompt=prompt, jump_if_true=at + 1, jump_if_false=at + 2)

    def act(oracle: Oracle) -> None:
        oracle.judged += 1
        if oracle.values[name] % 2 == 0:
            oracle.values["c"] = 5

    return Move([step, assign(at + 1, c=5), assign(at + 2, d="${c}")], _then(act, "d", "c"))


def _then(act: Callable[[Oracle], None], target: str, source: str) -> Callable[[Oracle], None]:
    def both(oracle: Oracle) -> None:
        act(oracle)
        oracle.values[target] = oracle.values[source]

    return both


def _loop(at: int, to: int, rounds: int) -> Move:
    steps = [
        assign(at, round="${{ round + 1 }}"),
        jump(at + 1, condition=f"round <= {rounds}", jump_if_true=to * STRIDE),
    ]

    def act(oracle: Oracle) -> int | None:
        oracle.values["round"] += 1
        return to if oracle.values["round"] <= rounds else None

    return Move(steps, act)


MAKERS: Final[dict[Callable[[random.Random, int, int], Move], int]] = {
    _assign: 2,
    _reasoning: 1,
    _mix: 2,
    _single("look", "alook", "shaky_look"): 6,
    _single("put", "shaky_put"): 3,
    _single("pay", "apay", "shy_pay"): 3,
    _bad: 2,
    _fan: 5,
    _bad_fan: 1,
    _skip: 1,
    _judge: 2,
}
"""What makes a move, and how often."""


def replies(plan: RandomPlan) -> list[dict[str, Any]]:
    """What the scripted model says: a faulty plan and a better one, revisions, and whether a number is even."""
    return [
        {"purpose": "judge", "match": "is -?[0-9]*[02468] even", "reply": _said(True), "repeat": True},
        {"purpose": "judge", "reply": _said(False), "repeat": True},
        {"purpose": "plan", "match": "Mend the world", "reply": plan.faulty, "repeat": True, "delay": 0.02},
        {"purpose": "plan", "reply": plan.failing, "repeat": True, "delay": 0.2},
        {"purpose": "revise", "reply": plan.steps, "repeat": True, "delay": 0.02},
    ]


def _said(result: bool) -> dict[str, Any]:
    return {"result": result, "explanation": "by its last digit"}
