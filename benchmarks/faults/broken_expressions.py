"""Faults within texts: references and expressions that don't parse, functions that don't exist (P012)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from benchmarks.faults.edits import Mention, expressions, rewritten
from benchmarks.faults.subjects import Subject
from benchmarks.faults.written import Steps


def _expressions(subject: Subject, change: Callable[[str], str | None]) -> Iterator[Steps]:
    for slot, start, end in expressions(subject.steps):
        text = slot.text[start:end]
        new = change(text.strip())
        if new is not None:
            yield rewritten(subject.steps, slot, start, end, new if slot.is_condition else f" {new} ")


def _references(subject: Subject, wrong: str) -> Iterator[Steps]:
    """``wrong``, with what stood between the braces for its ``@``, instead of each ``${name…}``."""
    for each in subject.mentions:
        if not each.in_expression:
            start, end = each.start - 2, each.slot.text.index("}", each.end) + 1
            yield rewritten(
                subject.steps, each.slot, start, end, wrong.replace("@", each.slot.text[start + 2 : end - 1])
            )


def a_bracket_too_few(subject: Subject) -> Iterator[Steps]:
    def change(text: str) -> str | None:
        at = max(text.rfind(")"), text.rfind("]"))
        return text[:at] + text[at + 1 :] if at >= 0 else f"({text}"

    yield from _expressions(subject, change)


def a_bracket_too_many(subject: Subject) -> Iterator[Steps]:
    yield from _expressions(subject, lambda text: f"{text})")


def an_operator_without_its_partner(subject: Subject) -> Iterator[Steps]:
    for wrong in ("{} +", "{} ==", "* {}", "{} and"):
        yield from _expressions(subject, wrong.format)


def a_function_that_is_not_there(subject: Subject) -> Iterator[Steps]:
    for wrong in ("size({})", "eval({})", "round_up({})", "isinstance({}, str)", "list({})"):
        yield from _expressions(subject, wrong.format)


def a_method(subject: Subject) -> Iterator[Steps]:
    for wrong in ("({}).strip()", "str({}).upper()", "({}).get('a')", "({}).length"):
        yield from _expressions(subject, wrong.format)


def a_dot_for_a_key(subject: Subject) -> Iterator[Steps]:
    for each in subject.mentions:
        if each.in_expression:
            yield rewritten(subject.steps, each.slot, each.start, each.end, f"{each.name}.name")


_ANOTHER: Final = (
    "@ && true", "@ || false", "!(@)", "(@) ? 1 : 2", "@ === 1", "x = @", "[y for y in [@]]", "lambda: @",
    "(@, 1)", "@ is null", "f'{@}'", "import os", "sorted([@], key=len)", "@ if true", "(@) // * 2",
)  # fmt: skip


def another_language(subject: Subject) -> Iterator[Steps]:
    for wrong in _ANOTHER:
        yield from _expressions(subject, partial(wrong.replace, "@"))


def too_many_arguments_or_too_few(subject: Subject) -> Iterator[Steps]:
    for wrong in ("len({}, 1)", "upper({}, 1, 2)", "int()", "contains({})"):
        yield from _expressions(subject, wrong.format)


def an_expression_that_is_not_closed(subject: Subject) -> Iterator[Steps]:
    for slot, _, end in expressions(subject.steps):
        if not slot.is_condition and "}" not in slot.text[end + 2 :]:
            yield rewritten(subject.steps, slot, end, end + 2, "")
            yield rewritten(subject.steps, slot, end, end + 2, "}")


def a_condition_with_marks(subject: Subject) -> Iterator[Steps]:
    """``${i} < 3`` where a bare name belongs."""
    for each in subject.mentions:
        if each.slot.is_condition:
            yield rewritten(subject.steps, each.slot, each.start, each.end, f"${{{each.name}}}")


def a_mark_within_an_expression(subject: Subject) -> Iterator[Steps]:
    for each in subject.mentions:
        if each.in_expression and not each.slot.is_condition:
            yield rewritten(subject.steps, each.slot, each.start, each.end, f"${{{each.name}}}")


def a_reference_that_is_not_closed(subject: Subject) -> Iterator[Steps]:
    for each in subject.mentions:
        if _is_last(each):
            yield rewritten(subject.steps, each.slot, each.end, len(each.slot.text), "")


def _is_last(mention: Mention) -> bool:
    return (
        not mention.in_expression
        and "}" not in mention.slot.text[mention.slot.text.index("}", mention.end) + 1 :]
    )


def an_expression_in_a_reference(subject: Subject) -> Iterator[Steps]:
    for wrong in ("${@ + 1}", "${@[i]}", "${@ or 'none'}", "${len(@)}", "${@ | upper}", "${@.}"):
        yield from _references(subject, wrong)


def an_empty_reference(subject: Subject) -> Iterator[Steps]:
    for wrong in ("${}", "${ }", "${{ }}", "${1}", "${.name}", "${the value}"):
        yield from _references(subject, wrong)
