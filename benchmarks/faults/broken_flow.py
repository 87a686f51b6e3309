"""Faults of the whole plan: loops without a way out (P010), no answer (P011)."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.faults.broken_form import of_type
from benchmarks.faults.edits import TARGETS, Mention, changed, inserted, quiet, replaced, sets
from benchmarks.faults.subjects import Subject
from benchmarks.faults.ways import answers, traps, ways
from benchmarks.faults.written import Steps, jump, when

# P010.


def _jumps_back(subject: Subject) -> Iterator[tuple[int, str, int]]:
    """Jumps to an earlier step: index, parameter and target."""
    for index, step in of_type(subject, "jmp"):
        for name in TARGETS:
            if step["parameters"].get(name, step["seq_no"]) < step["seq_no"]:
                yield index, name, step["parameters"][name]


def the_condition_of_a_loop_is_gone(subject: Subject) -> Iterator[Steps]:
    for index, _, target in _jumps_back(subject):
        broken = changed(subject.steps, index, ("parameters",), {"target_seq": target})
        if traps(broken):
            yield broken


def both_ways_lead_back(subject: Subject) -> Iterator[Steps]:
    for index, name, target in _jumps_back(subject):
        if name != "target_seq":
            for other in (target, subject.steps[index]["seq_no"]):
                back = {"jump_if_true": target, "jump_if_false": other}
                parameters = {**subject.steps[index]["parameters"], **back}
                broken = changed(subject.steps, index, ("parameters",), parameters)
                if traps(broken):
                    yield broken


def the_way_out_leads_back_in(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "jmp"):
        for name in TARGETS[1:]:
            if name in step["parameters"]:
                for earlier in subject.steps[: index + 2]:
                    broken = changed(subject.steps, index, ("parameters", name), earlier["seq_no"])
                    if traps(broken):
                        yield broken


def a_jump_back_that_nothing_stops(subject: Subject) -> Iterator[Steps]:
    for index in range(1, len(subject.steps)):
        for target in {index, index - 1, 0}:
            broken = inserted(subject.steps, index, jump(target))
            if traps(broken):
                yield broken


def a_step_that_jumps_to_itself(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "jmp"):
        if "target_seq" in step["parameters"]:
            broken = changed(subject.steps, index, ("parameters", "target_seq"), step["seq_no"])
            if traps(broken):
                yield broken


def _in_conditions(subject: Subject) -> Iterator[Mention]:
    return (each for each in subject.mentions if each.slot.is_condition)


# Faults that only a run shows: it does not end, whatever chance has in store.


def what_the_condition_asks_never_changes(subject: Subject) -> Iterator[Steps]:
    """The steps that set what a condition asks, but for the first, do nothing."""
    for each in _in_conditions(subject):
        broken = subject.steps
        setters = [index for index, step in enumerate(subject.steps) if each.name in sets(step)]
        for index in setters[1:]:
            broken = replaced(broken, index, quiet(broken[index]))
        if len(setters) > 1 and subject.is_endless(broken):
            yield broken


def the_counter_is_not_counted(subject: Subject) -> Iterator[Steps]:
    """An assign of the loop no longer sets what the condition asks, and goes on with everything else."""
    for each in _in_conditions(subject):
        for index, step in of_type(subject, "assign"):
            own = {mention.name for mention in subject.mentions if mention.slot.at == index}
            if each.name in sets(step) and each.name in own:
                kept = {key: value for key, value in step["parameters"].items() if key != each.name}
                broken = changed(subject.steps, index, ("parameters",), kept or {"nothing": 0})
                if subject.is_endless(broken):
                    yield broken


def another_variable_is_counted(subject: Subject) -> Iterator[Steps]:
    for each in _in_conditions(subject):
        for index, step in of_type(subject, "assign"):
            own = {mention.name for mention in subject.mentions if mention.slot.at == index}
            if each.name in sets(step) and each.name in own:
                renamed = {f"{each.name}_next" if key == each.name else key: value
                           for key, value in step["parameters"].items()}  # fmt: skip
                broken = changed(subject.steps, index, ("parameters",), renamed)
                if subject.is_endless(broken):
                    yield broken


def the_condition_asks_something_else(subject: Subject) -> Iterator[Steps]:
    """A loop whose condition asks for what was set before it."""
    for index, name, target in _jumps_back(subject):
        before = {each for step in subject.steps if step["seq_no"] < target for each in sets(step)}
        within = {each for step in subject.steps if step["seq_no"] >= target for each in sets(step)}
        first = min(before - within, default=None)
        if "condition" in subject.steps[index]["parameters"] and first is not None:
            asked = f"{first} == {first}" if name == "jump_if_true" else f"{first} != {first}"
            broken = changed(subject.steps, index, ("parameters", "condition"), asked)
            if subject.is_endless(broken):
                yield broken


def a_condition_that_is_always_true(subject: Subject) -> Iterator[Steps]:
    """Back to a step from which nothing but the new condition follows."""
    graph = ways(subject.steps)
    for index in range(1, len(subject.steps)):
        if index - 1 in subject.executed and {target for target, _ in graph[index - 1]} == {index}:
            yield inserted(subject.steps, index, when("1 < 2", index - 1))


# P011.


def _without_answer(subject: Subject, name: str) -> Steps:
    """The answer is set under another name, everywhere."""
    broken = subject.steps
    for index, step in enumerate(broken):
        if "final_answer" not in sets(step):
            continue
        if step["type"] == "assign":
            values = {
                name if key == "final_answer" else key: value for key, value in step["parameters"].items()
            }
            broken = changed(broken, index, ("parameters",), values)
        else:
            broken = changed(broken, index, ("parameters", "output_vars"), name)
    return broken


def the_answer_has_another_name(subject: Subject) -> Iterator[Steps]:
    for name in ("answer", "result", "Final_Answer", "finalAnswer"):
        yield _without_answer(subject, name)


def the_answer_is_not_set(subject: Subject) -> Iterator[Steps]:
    broken = subject.steps
    for index, step in enumerate(broken):
        if "final_answer" in sets(step):
            broken = replaced(broken, index, quiet(step))
    yield broken


def the_answer_is_within_another_variable(subject: Subject) -> Iterator[Steps]:
    broken = subject.steps
    for index, step in enumerate(broken):
        if "final_answer" in sets(step):
            value = {"final_answer": step["parameters"].get("final_answer", "done")}
            broken = replaced(
                broken, index, {**quiet(step), "type": "assign", "parameters": {"output": value}}
            )
    yield broken


def no_way_leads_to_the_answer(subject: Subject) -> Iterator[Steps]:
    """A jump over the step that answers, to one behind it."""
    end = {"type": "reasoning", "parameters": {"note": "the end"}}
    for index, step in enumerate(subject.steps):
        if "final_answer" in sets(step) and index == len(subject.steps) - 1:
            longer = [*inserted(subject.steps, index, jump(index + 2)), {"seq_no": 10 * (index + 2), **end}]
            if not answers(longer)[0]:
                yield longer


def one_way_ends_without_an_answer(subject: Subject) -> Iterator[Steps]:
    for index, step in enumerate(subject.steps):
        if "final_answer" in sets(step):
            broken = replaced(subject.steps, index, quiet(step))
            if answers(broken) == (True, True):
                yield broken


def some_ways_end_before_the_answer(subject: Subject) -> Iterator[Steps]:
    """A condition jumps to behind the step that answers."""
    end = {"type": "reasoning", "parameters": {"note": "the end"}}
    for index in range(1, len(subject.steps)):
        size = len(subject.steps)
        broken = [
            *inserted(subject.steps, index, when("len('sky') == 3", size + 1)),
            {"seq_no": 10 * (size + 1), **end},
        ]
        if answers(broken) == (True, True):
            yield broken
