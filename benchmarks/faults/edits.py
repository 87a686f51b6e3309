"""Looking at and changing a plan's document. Nothing is changed in place; what is unchanged is shared.

Deliberately none of the checker's own code: what is read where, and where a step leads, is worked out anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from benchmarks.faults.written import Step, Steps

Path = tuple[str | int, ...]

TARGETS: Final = ("target_seq", "jump_if_true", "jump_if_false")
_REFERENCE: Final = re.compile(
    r"(?<!\$)\$\{\{(?P<expression>.*?)\}\}|(?<!\$)\$\{(?P<name>[A-Za-z_]\w*)", re.DOTALL
)
_CONSTANTS: Final = frozenset({"true", "false", "null", "True", "False", "None"})


class Slot(NamedTuple):
    """A text that is computed when its step runs: ``at`` is the index of the step, ``path`` the place within it."""

    at: int
    path: Path
    text: str
    is_condition: bool = False


class Mention(NamedTuple):
    """A variable that is named in a slot, from ``start`` to ``end`` of its text."""

    slot: Slot
    start: int
    end: int
    name: str
    in_expression: bool


def replaced(steps: Steps, index: int, *new: Step) -> Steps:
    """The steps with others, or none, in the place of one."""
    return [*steps[:index], *new, *steps[index + 1 :]]


def changed(steps: Steps, index: int, path: Path, value: Any) -> Steps:
    """The steps with a value set at a path of one of them."""
    return replaced(steps, index, _set(steps[index], path, value))


def without(steps: Steps, index: int, path: Path) -> Steps:
    """The steps without the key at a path of one of them."""
    *above, key = path
    holder: Any = steps[index]
    for part in above:
        holder = holder[part]
    kept = {name: value for name, value in holder.items() if name != key}
    return changed(steps, index, tuple(above), kept) if above else replaced(steps, index, kept)


def _set(holder: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    first, *rest = path
    if isinstance(holder, list):
        return [_set(item, tuple(rest), value) if at == first else item for at, item in enumerate(holder)]
    return {**holder, first: _set(holder.get(first), tuple(rest), value)}


def renumbered(steps: Steps, index: int, count: int) -> Steps:
    """Room for ``count`` steps before the one at ``index``: all numbers and targets are spread and moved."""
    old = [step["seq_no"] for step in steps]
    new = {number: 10 * (at + (count if at >= index else 0)) for at, number in enumerate(old)}
    return [_moved(step, new) for step in steps]


def inserted(steps: Steps, index: int, *new: Step) -> Steps:
    """The steps with ``new`` before the one at ``index``, whose targets are places in the new list."""
    moved = renumbered(steps, index, len(new))
    numbers = {at: 10 * at for at in range(len(steps) + len(new) + 1)}
    placed = [_moved({"seq_no": at, **step}, numbers) for at, step in enumerate(new, index)]
    return [*moved[:index], *placed, *moved[index:]]


def _moved(step: Step, numbers: dict[int, int]) -> Step:
    parameters = step["parameters"]
    if step["type"] == "jmp":
        parameters = {
            key: numbers.get(value, value) if key in TARGETS else value for key, value in parameters.items()
        }
    elif step["type"] == "calling" and isinstance(parameters.get("on_error"), dict):
        parameters = {**parameters, "on_error": {"goto": numbers[parameters["on_error"]["goto"]]}}
    return {**step, "seq_no": numbers[step["seq_no"]], "parameters": parameters}


def slots(steps: Steps) -> Iterator[Slot]:
    """Every text that may name variables, in the plan's order."""
    for index, step in enumerate(steps):
        parameters = step["parameters"]
        if step["type"] == "assign":
            yield from _texts(index, parameters, ("parameters",))
        elif step["type"] == "calling":
            yield from _texts(index, parameters.get("for_each"), ("parameters", "for_each"))
            yield from _texts(index, parameters.get("tool_params", {}), ("parameters", "tool_params"))
        elif step["type"] == "jmp":
            for name in ("condition_prompt", "context"):
                yield from _texts(index, parameters.get(name), ("parameters", name))
            if "condition" in parameters:
                yield Slot(index, ("parameters", "condition"), parameters["condition"], True)


def _texts(index: int, value: Any, path: Path) -> Iterator[Slot]:
    if isinstance(value, str):
        yield Slot(index, path, value)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(index, part, (*path, key))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _texts(index, part, (*path, at))


def mentions(steps: Steps) -> Iterator[Mention]:
    """Every variable that is named anywhere, in the plan's order."""
    for slot in slots(steps):
        if slot.is_condition:
            yield from _names(slot, slot.text, 0)
            continue
        for match in _REFERENCE.finditer(slot.text):
            if match["name"]:
                yield Mention(slot, match.start("name"), match.end("name"), match["name"], False)
            else:
                yield from _names(slot, match["expression"], match.start("expression"))


def expressions(steps: Steps) -> Iterator[tuple[Slot, int, int]]:
    """Every expression: its slot, and from where to where in the text."""
    for slot in slots(steps):
        if slot.is_condition:
            yield slot, 0, len(slot.text)
            continue
        for match in _REFERENCE.finditer(slot.text):
            if match["expression"]:
                yield slot, *match.span("expression")


def _names(slot: Slot, expression: str, start: int) -> Iterator[Mention]:
    stripped = expression.lstrip()
    start += len(expression) - len(stripped)
    tree = ast.parse(stripped.replace("\n", " "), mode="eval")
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in functions and node.id not in _CONSTANTS:
            begin = start + node.col_offset
            yield Mention(slot, begin, begin + len(node.id), node.id, True)


def rewritten(steps: Steps, slot: Slot, start: int, end: int, text: str) -> Steps:
    """The steps with a stretch of a slot's text replaced."""
    return changed(steps, slot.at, slot.path, slot.text[:start] + text + slot.text[end:])


def outputs(step: Step) -> list[str]:
    """The variables a call sets where it succeeds."""
    named = step["parameters"].get("output_vars") or []
    return [named] if isinstance(named, str) else list(named)


def sets(step: Step) -> list[str]:
    """The variables a step sets where it does not fail."""
    if step["type"] == "assign":
        return list(step["parameters"])
    return outputs(step) if step["type"] == "calling" else []


def quiet(step: Step) -> Step:
    """A step of that number that does nothing."""
    return {"seq_no": step["seq_no"], "type": "reasoning", "parameters": {"note": "nothing to do"}}
