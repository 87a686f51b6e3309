"""Faults of form: no plan (P001), numbers (P002), jumps to nowhere (P003), steps that nothing leads to (P004)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.faults.edits import (
    TARGETS,
    changed,
    inserted,
    outputs,
    replaced,
    without,
)
from benchmarks.faults.subjects import Subject
from benchmarks.faults.ways import reached
from benchmarks.faults.written import Step, Steps, assign, jump


def of_type(subject: Subject, kind: str) -> Iterator[tuple[int, Step]]:
    """The steps of a type, with their indices."""
    return ((index, step) for index, step in enumerate(subject.steps) if step["type"] == kind)


# P001: no plan at all.


def the_text_is_cut_off(subject: Subject) -> Iterator[str]:
    text = json.dumps(subject.steps)
    for part in (0.3, 0.6, 0.9, 0.99):
        yield text[: int(len(text) * part)]


def a_comma_is_missing(subject: Subject) -> Iterator[str]:
    lines = json.dumps(subject.steps, indent=1).splitlines()
    for at in (position for position, line in enumerate(lines) if line.endswith(",")):
        yield "\n".join([*lines[:at], lines[at][:-1], *lines[at + 1 :]])


def a_bracket_is_missing(subject: Subject) -> Iterator[str]:
    lines = json.dumps(subject.steps, indent=1).splitlines()
    for at in (position for position, line in enumerate(lines) if line.strip(" ,") in ("}", "]")):
        yield "\n".join([*lines[:at], *lines[at + 1 :]])


def python_instead_of_json(subject: Subject) -> Iterator[str]:
    yield repr(subject.steps)


def a_type_is_misspelt(subject: Subject) -> Iterator[Steps]:
    wrong = {"assign": "asign", "calling": "call", "jmp": "jump", "reasoning": "think"}
    for index, step in enumerate(subject.steps):
        yield changed(subject.steps, index, ("type",), wrong[step["type"]])


def a_field_of_the_step_is_missing(subject: Subject) -> Iterator[Steps]:
    for index, step in enumerate(subject.steps):
        for field in ("seq_no", "type", *(["parameters"] if step["type"] != "reasoning" else [])):
            yield without(subject.steps, index, (field,))


def a_number_is_a_text(subject: Subject) -> Iterator[Steps]:
    for index, step in enumerate(subject.steps):
        yield changed(subject.steps, index, ("seq_no",), str(step["seq_no"]))


def an_unknown_field(subject: Subject) -> Iterator[Steps]:
    for index, step in enumerate(subject.steps):
        yield changed(subject.steps, index, ("next",), step["seq_no"] + 1)
    for index, _ in of_type(subject, "calling"):
        yield changed(subject.steps, index, ("parameters", "depends_on"), [])


def parameters_outside_of_parameters(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        flat = {key: value for key, value in step.items() if key != "parameters"}
        yield replaced(subject.steps, index, {**flat, **step["parameters"]})


def a_call_without_a_tool(subject: Subject) -> Iterator[Steps]:
    for index, _ in of_type(subject, "calling"):
        yield without(subject.steps, index, ("parameters", "tool_name"))
        yield changed(subject.steps, index, ("parameters", "tool_name"), "")


def arguments_as_a_list(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        values = list(step["parameters"]["tool_params"].values())
        yield changed(subject.steps, index, ("parameters", "tool_params"), values)


def a_jump_without_a_target(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "jmp"):
        name = "target_seq" if "target_seq" in step["parameters"] else "jump_if_true"
        yield without(subject.steps, index, ("parameters", name))
        if "condition_prompt" in step["parameters"]:
            yield without(subject.steps, index, ("parameters", "jump_if_false"))


def a_jump_of_two_forms(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "jmp"):
        extra = ("condition", "true") if "target_seq" in step["parameters"] else ("target_seq", 1)
        yield changed(subject.steps, index, ("parameters", extra[0]), extra[1])


def an_impossible_name(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "assign"):
        yield changed(subject.steps, index, ("parameters", "my value"), 1)
        yield changed(subject.steps, index, ("parameters", f"{next(iter(step['parameters']))}.x"), 1)


def output_vars_of_a_wrong_form(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        wrong: list[Any] = [5, [5], {"a": 5}, "my result", {"a": "x["}]
        wrong += [[name, name] for name in outputs(step)[:1]]
        for value in wrong:
            yield changed(subject.steps, index, ("parameters", "output_vars"), value)


def on_error_or_retry_of_a_wrong_form(subject: Subject) -> Iterator[Steps]:
    for index, _ in of_type(subject, "calling"):
        for value in ("ignore", {"goto": "next"}, {"jump": 3}):
            yield changed(subject.steps, index, ("parameters", "on_error"), value)
        yield changed(subject.steps, index, ("parameters", "retry"), {"max_attempts": 0})
        yield changed(subject.steps, index, ("parameters", "retry"), 3)
        yield changed(subject.steps, index, ("parameters", "timeout"), "10 s")


def for_each_over_no_list(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        if "for_each" in step["parameters"]:
            for value in ("files", {"a": 1}, 3):
                yield changed(subject.steps, index, ("parameters", "for_each"), value)


def no_steps(subject: Subject) -> Iterator[dict[str, Any] | Steps]:
    yield []
    yield {"version": 1, "reasoning": "Nothing has to be done.", "steps": []}
    yield {"version": 1, "plan": subject.steps}
    yield {"version": 2, "steps": subject.steps}


# P002: numbers.


def a_number_is_repeated(subject: Subject) -> Iterator[Steps]:
    for index in range(1, len(subject.steps)):
        yield changed(subject.steps, index, ("seq_no",), subject.steps[index - 1]["seq_no"])


def a_step_is_there_twice(subject: Subject) -> Iterator[Steps]:
    for index, step in enumerate(subject.steps):
        yield replaced(subject.steps, index, step, step)


def two_steps_change_places(subject: Subject) -> Iterator[Steps]:
    steps = subject.steps
    for index in range(len(steps) - 1):
        yield [*steps[:index], steps[index + 1], steps[index], *steps[index + 2 :]]


def a_step_is_numbered_as_if_it_came_first(subject: Subject) -> Iterator[Steps]:
    first = subject.steps[0]["seq_no"]
    for index in range(1, len(subject.steps) if first else 0):
        yield changed(subject.steps, index, ("seq_no",), first - 1)


# P003: jumps to steps that are not there.


def _targets(subject: Subject) -> Iterator[tuple[int, tuple[str, ...], int]]:
    for index, step in of_type(subject, "jmp"):
        for name in TARGETS:
            if name in step["parameters"]:
                yield index, ("parameters", name), step["parameters"][name]
    for index, step in of_type(subject, "calling"):
        if isinstance(step["parameters"].get("on_error"), dict):
            yield index, ("parameters", "on_error", "goto"), step["parameters"]["on_error"]["goto"]


def a_jump_past_the_end(subject: Subject) -> Iterator[Steps]:
    last = subject.steps[-1]["seq_no"]
    for index, path, _ in _targets(subject):
        yield changed(subject.steps, index, path, last + 1)
        yield changed(subject.steps, index, path, last + 100)


def a_jump_into_a_gap(subject: Subject) -> Iterator[Steps]:
    numbers = {step["seq_no"] for step in subject.steps}
    for index, path, target in _targets(subject):
        for near in (target - 1, target + 1):
            if near >= 0 and near not in numbers:
                yield changed(subject.steps, index, path, near)


def the_target_is_taken_out(subject: Subject) -> Iterator[Steps]:
    by_number = {step["seq_no"]: index for index, step in enumerate(subject.steps)}
    for _, _, target in _targets(subject):
        if len(subject.steps) > 1:
            yield replaced(subject.steps, by_number[target])


def the_target_is_renumbered(subject: Subject) -> Iterator[Steps]:
    numbers = {step["seq_no"] for step in subject.steps}
    by_number = {step["seq_no"]: index for index, step in enumerate(subject.steps)}
    for _, _, target in _targets(subject):
        if target + 1 not in numbers:
            yield changed(subject.steps, by_number[target], ("seq_no",), target + 1)


# P004: steps that nothing leads to.


def _unreached(steps: Steps) -> bool:
    return len(reached(steps) - {-1}) < len(steps)


def a_step_behind_a_jump(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "jmp"):
        if "target_seq" in step["parameters"]:
            yield inserted(subject.steps, index + 1, assign(forgotten=1))


def a_jump_over_steps(subject: Subject) -> Iterator[Steps]:
    for index in range(1, len(subject.steps) - 1):
        broken = inserted(subject.steps, index, jump(index + 2))
        if _unreached(broken):
            yield broken


def an_answer_too_early(subject: Subject) -> Iterator[Steps]:
    for index in range(1, len(subject.steps)):
        broken = inserted(subject.steps, index, assign(final_answer="done"))
        if _unreached(broken):
            yield broken


def a_condition_that_is_none(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "jmp"):
        for name in TARGETS[1:]:
            if name in step["parameters"]:
                broken = changed(
                    subject.steps, index, ("parameters",), {"target_seq": step["parameters"][name]}
                )
                if _unreached(broken):
                    yield broken
