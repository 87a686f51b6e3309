"""The plans that are run. Texts are random letters and digits: what compresses well would flatter the store."""

from __future__ import annotations

import random
import string
from typing import Any, Final

Steps = list[dict[str, Any]]

SMALL_BYTES: Final = 40
TEXT_BYTES: Final = 400
ITEM_BYTES: Final = 2_000

_LETTERS: Final = string.ascii_letters + string.digits


def texts(count: int, size: int, seed: int = 1) -> list[str]:
    """``count`` texts of ``size`` characters, the same for the same seed."""
    drawn = random.Random(seed)
    return ["".join(drawn.choices(_LETTERS, k=size)) for _ in range(count)]


def new_variables(count: int, first_seq_no: int = 0) -> Steps:
    """Workload A: each step sets a new variable of 40 bytes; all are kept."""
    values = texts(count, SMALL_BYTES)
    steps = [_assign(first_seq_no + i, **{f"v{i}": value}) for i, value in enumerate(values)]
    return [*steps, _assign(first_seq_no + count, final_answer="${v0}")]


def tool_calls(count: int, tool_name: str) -> Steps:
    """As workload A, each value given by a call of the tool."""
    steps = [
        _call(i, tool_name, {"text": value}, f"v{i}") for i, value in enumerate(texts(count, SMALL_BYTES))
    ]
    return [*steps, _assign(count, final_answer="${v0}")]


def chained_calls(count: int, tool_name: str) -> Steps:
    """Calls of which each needs the result of the one before."""
    calls = [_call(i, tool_name, {"text": f"${{v{i - 1}}}"}, f"v{i}") for i in range(1, count)]
    return [_assign(0, v0=texts(1, SMALL_BYTES)[0]), *calls, _assign(count, final_answer="${v0}")]


def after_large_value(count: int, tool_name: str) -> Steps:
    """Workload B: a tool gives a large value, then ``count`` small steps; with 0 of them only the value."""
    large = _call(0, tool_name, {}, "large")
    return [large, *new_variables(count, 1)] if count else [large, _assign(1, final_answer=1)]


def growing_list(count: int) -> Steps:
    """Workload C: each step sets a new variable of 400 bytes and appends an item of 2 KB to one list."""
    values, items = texts(count, TEXT_BYTES, 2), texts(count, ITEM_BYTES, 3)
    steps = [_assign(0, items=[])]
    for i, (value, item) in enumerate(zip(values, items, strict=True), 1):
        steps.append(_assign(i, **{f"v{i}": value, "items": f"${{{{ items + ['{item}'] }}}}"}))
    return [*steps, _assign(count + 1, final_answer="${{ len(items) }}")]


def loop(iterations: int) -> Steps:
    """Three variables, set anew in each iteration: two steps each."""
    return [
        _assign(0, i=0, total=0, label=""),
        _assign(
            1, i="${{ i + 1 }}", total="${{ total + i }}", label="iteration ${i} of the loop, total ${total}"
        ),
        _jump(2, f"i < {iterations}", 1, 3),
        _assign(3, final_answer="${total}"),
    ]


def mixed(count: int, prefix: str) -> Steps:
    """For the checker: literals, references, expressions, calls and conditions in turn.

    ``prefix`` is in every name, so that nothing an earlier check has compiled is met again.
    """
    makers = (_literal, _reference, _expression, _read, _condition)
    steps = [makers[i % len(makers)](i, f"{prefix}{i - i % len(makers)}") for i in range(count - 1)]
    return [*steps, _assign(count - 1, final_answer=f"${{{prefix}0}}")]


def _literal(seq_no: int, name: str) -> dict[str, Any]:
    return _assign(seq_no, **{name: f"docs/{name}.md"})


def _reference(seq_no: int, name: str) -> dict[str, Any]:
    return _assign(
        seq_no, **{f"{name}_title": f"about ${{{name}}}", f"{name}_row": {"of": f"${{{name}}}", "n": 3}}
    )


def _expression(seq_no: int, name: str) -> dict[str, Any]:
    return _assign(seq_no, **{f"{name}_size": f"${{{{ len({name}) * 2 + {name}_row['n'] }}}}"})


def _read(seq_no: int, name: str) -> dict[str, Any]:
    return _call(seq_no, "read_file", {"path": f"${{{name}}}"}, f"{name}_text")


def _condition(seq_no: int, name: str) -> dict[str, Any]:
    return _jump(seq_no, f"{name}_size > {seq_no} and len({name}_title) > 2", seq_no + 1, seq_no + 1)


def _assign(seq_no: int, **values: Any) -> dict[str, Any]:
    return {"seq_no": seq_no, "type": "assign", "parameters": values}


def _call(seq_no: int, tool_name: str, arguments: dict[str, Any], variable: str) -> dict[str, Any]:
    parameters = {"tool_name": tool_name, "tool_params": arguments, "output_vars": variable}
    return {"seq_no": seq_no, "type": "calling", "parameters": parameters}


def _jump(seq_no: int, condition: str, if_true: int, if_false: int) -> dict[str, Any]:
    parameters = {"condition": condition, "jump_if_true": if_true, "jump_if_false": if_false}
    return {"seq_no": seq_no, "type": "jmp", "parameters": parameters}
