"""Faults of variables: read where no way sets them (P005), or where some way doesn't (P006)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks.faults.broken_form import of_type
from benchmarks.faults.edits import (
    Mention,
    changed,
    inserted,
    mentions,
    outputs,
    quiet,
    replaced,
    rewritten,
    sets,
    without,
)
from benchmarks.faults.subjects import Subject
from benchmarks.faults.ways import is_unset, may_be_unset
from benchmarks.faults.written import Steps, assign, when

_HIDDEN = frozenset({"item", "index"})


def _reads(subject: Subject) -> Iterator[Mention]:
    """Mentions in steps that are surely come to, the names that a step gives itself left out."""
    return (
        each for each in subject.mentions if each.slot.at in subject.executed and each.name not in _HIDDEN
    )


def _renamed(subject: Subject, mention: Mention, name: str) -> Steps:
    return rewritten(subject.steps, mention.slot, mention.start, mention.end, name)


def _setters(steps: Steps) -> dict[str, list[int]]:
    """The steps that set each variable."""
    found: dict[str, list[int]] = {}
    for index, step in enumerate(steps):
        for name in sets(step):
            found.setdefault(name, []).append(index)
    return found


def _read_unset(subject: Subject, steps: Steps, name: str) -> bool:
    """Whether a step that some run came to reads the variable, and never with it set. Places are unchanged."""
    readers = {each.slot.at for each in mentions(steps) if each.name == name} & subject.executed
    return any(is_unset(steps, index, name) for index in readers)


# P005.


def a_reference_is_misspelt(subject: Subject) -> Iterator[Steps]:
    for each in _reads(subject):
        if not each.in_expression:
            yield _renamed(subject, each, f"{each.name}s_")


def a_reference_in_other_letters(subject: Subject) -> Iterator[Steps]:
    known = {*_setters(subject.steps), "error"}
    for each in _reads(subject):
        other = each.name.swapcase()
        if other not in known:
            yield _renamed(subject, each, other)


def a_name_in_an_expression_is_misspelt(subject: Subject) -> Iterator[Steps]:
    for each in _reads(subject):
        if each.in_expression and not each.slot.is_condition:
            yield _renamed(subject, each, f"my_{each.name}")


def a_name_in_a_condition_is_misspelt(subject: Subject) -> Iterator[Steps]:
    for each in _reads(subject):
        if each.slot.is_condition:
            yield _renamed(subject, each, f"{each.name}_value")


def the_variable_is_set_under_another_name(subject: Subject) -> Iterator[Steps]:
    for name, indices in _setters(subject.steps).items():
        if len(indices) != 1 or name == "final_answer":
            continue
        broken = _set_as(subject.steps, indices[0], name, f"{name}_result")
        if _read_unset(subject, broken, name):
            yield broken


def _set_as(steps: Steps, index: int, name: str, other: str) -> Steps:
    step = steps[index]
    if step["type"] == "assign":
        values = {other if key == name else key: value for key, value in step["parameters"].items()}
        return changed(steps, index, ("parameters",), values)
    named: Any = step["parameters"]["output_vars"]
    if isinstance(named, dict):
        renamed: Any = {other if key == name else key: path for key, path in named.items()}
    elif isinstance(named, list) and len(named) > 1:
        renamed = {other if key == name else key: key for key in named}
    else:
        renamed = other
    return changed(steps, index, ("parameters", "output_vars"), renamed)


def the_setting_step_is_taken_out(subject: Subject) -> Iterator[Steps]:
    for name, indices in _setters(subject.steps).items():
        broken = subject.steps
        for index in indices:
            broken = replaced(broken, index, quiet(broken[index]))
        if name != "final_answer" and len(indices) == 1 and _read_unset(subject, broken, name):
            yield broken


def the_result_is_not_kept(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        broken = changed(subject.steps, index, ("parameters", "output_vars"), None)
        if any(_read_unset(subject, broken, name) for name in outputs(step)):
            yield broken


def the_setting_step_comes_too_late(subject: Subject) -> Iterator[Steps]:
    """A step and the one behind it that reads what it sets change places; numbers stay in order."""
    steps = subject.steps
    for index in range(len(steps) - 1):
        first, second = steps[index], steps[index + 1]
        if "jmp" in (first["type"], second["type"]) or "final_answer" in sets(second):
            continue
        swapped = [
            *steps[:index],
            {**second, "seq_no": first["seq_no"]},
            {**first, "seq_no": second["seq_no"]},
            *steps[index + 2 :],
        ]
        read = {each.name for each in mentions(swapped) if each.slot.at == index}
        if index in subject.executed and any(is_unset(swapped, index, n) for n in read & set(sets(first))):
            yield swapped


def a_step_reads_what_it_sets_itself(subject: Subject) -> Iterator[Steps]:
    """Two assigns become one, which computes all values before it sets any."""
    steps = subject.steps
    for index in range(len(steps) - 1):
        first, second = steps[index], steps[index + 1]
        if first["type"] == second["type"] == "assign":
            merged = {**first, "parameters": {**first["parameters"], **second["parameters"]}}
            broken = replaced(replaced(steps, index + 1, quiet(second)), index, merged)
            if index in subject.executed and any(_read_unset(subject, broken, n) for n in sets(first)):
                yield broken


def a_variable_of_the_other_branch(subject: Subject) -> Iterator[Steps]:
    names = [name for name in _setters(subject.steps) if name != "final_answer"]
    for each in _reads(subject):
        for name in names:
            if name != each.name and is_unset(subject.steps, each.slot.at, name):
                yield _renamed(subject, each, name)


def a_counter_without_a_beginning(subject: Subject) -> Iterator[Steps]:
    """What a loop adds to is no longer set before it."""
    setters = _setters(subject.steps)
    for index, _ in of_type(subject, "assign"):
        own = {each.name for each in subject.mentions if each.slot.at == index} & set(
            sets(subject.steps[index])
        )
        for name in own:
            broken = subject.steps
            for other in setters[name]:
                if other != index and subject.steps[other]["type"] == "assign":
                    kept = {k: v for k, v in broken[other]["parameters"].items() if k != name}
                    broken = changed(broken, other, ("parameters",), kept or {"nothing": 0})
            if _read_unset(subject, broken, name):
                yield broken


def item_outside_of_for_each(subject: Subject) -> Iterator[Steps]:
    for index, _ in of_type(subject, "calling"):
        of_item = any(each.name in _HIDDEN and each.slot.at == index for each in subject.mentions)
        if of_item and index in subject.executed:
            yield without(subject.steps, index, ("parameters", "for_each"))
    for each in _reads(subject):
        if "for_each" not in subject.steps[each.slot.at]["parameters"]:
            yield _renamed(subject, each, "item")


def a_result_that_failed_is_read(subject: Subject) -> Iterator[Steps]:
    """Where an error leads, the outputs of the call are not set."""
    names = {name for _, step in of_type(subject, "calling") for name in outputs(step)}
    for each in _reads(subject):
        if each.name == "error":
            for name in names:
                if is_unset(subject.steps, each.slot.at, name):
                    yield _renamed(subject, each, name)


def error_where_nothing_is_handled(subject: Subject) -> Iterator[Steps]:
    for each in _reads(subject):
        if is_unset(subject.steps, each.slot.at, "error"):
            yield _renamed(subject, each, "error")


# P006.


def one_way_does_not_set_it(subject: Subject) -> Iterator[Steps]:
    for name, indices in _setters(subject.steps).items():
        if len(indices) < 2 or name == "final_answer":
            continue
        for index in indices:
            broken = replaced(subject.steps, index, quiet(subject.steps[index]))
            readers = {each.slot.at for each in mentions(broken) if each.name == name}
            if any(may_be_unset(broken, reader, name) for reader in readers):
                yield broken


def a_condition_before_the_setting_step(subject: Subject) -> Iterator[Steps]:
    for index, step in enumerate(subject.steps[1:-1], 1):
        if not sets(step) or "final_answer" in sets(step):
            continue
        broken = inserted(subject.steps, index, when("len('sky') == 3", index + 2))
        read = Counter((each.slot.at, each.name) for each in mentions(broken))
        if any(name in sets(step) and may_be_unset(broken, at, name) for at, name in read):
            yield broken


def an_error_jumps_to_where_the_result_is_read(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        later = [each for each in subject.mentions if each.slot.at > index and each.name in outputs(step)]
        for each in later:
            target = subject.steps[each.slot.at]["seq_no"]
            broken = changed(subject.steps, index, ("parameters", "on_error"), {"goto": target})
            if may_be_unset(broken, each.slot.at, each.name):
                yield broken


def a_branch_is_the_only_one_to_set_it(subject: Subject) -> Iterator[Steps]:
    """A step behind the branches reads what only one of them sets."""
    names = [name for name, at in _setters(subject.steps).items() if len(at) == 1 and name != "final_answer"]
    for each in _reads(subject):
        for name in names:
            if each.name != name and may_be_unset(subject.steps, each.slot.at, name):
                yield _renamed(subject, each, name)


def error_is_read_whether_or_not_there_was_one(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        if step["parameters"].get("on_error") == "continue" and index + 1 < len(subject.steps):
            broken = inserted(subject.steps, index + 1, assign(what="${error.message}"))
            if may_be_unset(broken, index + 1, "error"):
                yield broken
