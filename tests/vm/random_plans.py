"""Random plans that the checker accepts, and deterministic tools for them: some fail, by what they are given."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

from rig import assign, call, jump

from app.tools import Tool, tool


def _number(value: Any) -> int:
    return int.from_bytes(sha256(repr(value).encode()).digest()[:4])


@tool(effect="pure")
def mix(a: Any, b: Any = None) -> dict[str, Any]:
    """A function of its arguments."""
    return {"n": _number([a, b]) % 1000, "text": "t" * (_number([b, a]) % 60)}


@tool(effect="read")
def find(key: Any) -> Any:
    """Looks something up; fails for some keys."""
    number = _number(key)
    if number % 7 == 0:
        raise LookupError(f"no {number}")
    return ["x" * (number % 40)] * (number % 9)


@tool(effect="write")
def put(key: Any) -> str:
    """Stores something; fails for some keys."""
    if _number(key) % 11 == 0:
        raise OSError("full")
    return f"put {_number(key)}"


@tool(effect="irreversible")
def pay(amount: Any) -> dict[str, Any]:
    """Pays."""
    return {"receipt": _number(amount), "n": 1}


TOOLS: list[Tool] = [mix, find, put, pay]


def random_steps(seed: int) -> list[dict[str, Any]]:
    """A plan of 4 to 30 steps: values of all sizes, calls of all classes, loops, handled and unhandled errors."""
    chance = random.Random(seed)
    names = ["a", "b", "rows", "Big", "big"]
    steps = [assign(0, a=1, b="two", rows=[], Big={"k": [1, 2]}, big="z" * chance.randrange(30), round=0)]
    for position in range(1, chance.randrange(3, 28)):
        steps.append(_random_step(chance, position * 10, names))
    last = steps[-1]["seq_no"]
    if chance.random() < 0.5:
        target = chance.choice(steps[1:])["seq_no"]
        steps.append(assign(last + 1, round="${{ round + 1 }}"))
        steps.append(jump(last + 2, condition=f"round < {chance.randrange(1, 5)}", jump_if_true=target))
    steps.append(assign(last + 9, final_answer="${{ [a, len(rows), round] }}"))
    return steps


def _random_step(chance: random.Random, seq_no: int, names: list[str]) -> dict[str, Any]:
    name, other = chance.choice(names), chance.choice(names)
    kind = chance.randrange(9)
    if kind == 0:
        return assign(seq_no, **{name: f"${{{other}}}"})
    if kind == 1:
        return assign(
            seq_no, rows="${{ rows + [a, b] }}", a=chance.choice([1.5, -0.0, 10**20, None, "é\u2028"])
        )
    if kind == 2:
        return assign(seq_no, rows=[{"id": n, "text": "r" * chance.randrange(90)} for n in range(300)])
    if kind == 3:
        return assign(seq_no, **{f"v{n}": f"${{{other}}}" for n in range(chance.randrange(1, 90))})
    if kind == 4:
        return call(seq_no, "mix", chance.choice([name, ["n", "text"]]), {"a": f"${{{other}}}", "b": seq_no})
    if kind == 5:
        items = [chance.randrange(50) for _ in range(chance.randrange(12))]
        return call(seq_no, chance.choice(["find", "put"]), name, {"key": ["${item}", f"${{{other}}}"]},
                    for_each=items, on_error=chance.choice(["continue", "fail", "continue"]))  # fmt: skip
    if kind == 6:
        return call(seq_no, "put", name, {"key": [f"${{{other}}}", seq_no]}, on_error="continue")
    if kind == 7:
        return call(seq_no, "pay", {name: "receipt"}, {"amount": f"text of ${{{other}}}"})
    return call(seq_no, "find", name, {"key": [f"${{{other}}}", seq_no]}, retry={"max_attempts": 2},
                on_error=chance.choice(["fail", "continue"]))  # fmt: skip
