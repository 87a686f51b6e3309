"""From a model's reply to the one JSON value in it, with the names of what had to be repaired.

Repaired is only what has one reading. What is cut off, there twice and different, or readable in two ways
raises: it goes back to the model, and nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.plan.json_text import JsonTextError, decode_json, find_problems
from app.plan.lenient_json import LenientReader
from app.plan.model import Json
from app.plan.problems import refuse

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""The longest reply that is looked at."""
MAX_FAILURES: Final = 200
"""Stretches of a text that begin like JSON and aren't: telling the place of each walks through the text."""

THINKING: Final = "thinking"
CODE_FENCE: Final = "code fence"
SURROUNDING_TEXT: Final = "surrounding text"
DOUBLE_ENCODING: Final = "JSON inside a text"

Fits: TypeAlias = Callable[[Json], bool]

_THINKING_START: Final = re.compile(r"\s*<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_THINKING_END: Final = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCE: Final = re.compile(r"(?:```|~~~)[\w-]*")
_ANSWER: Final = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL)
_OPENING: Final = re.compile(r"[\[{]")
_HINT: Final = "give exactly one JSON document and nothing else"
_PLAN_HINT: Final = 'a plan is a JSON list of steps or {"version": 1, "steps": [ … ]}'


@dataclass(frozen=True, slots=True)
class Repaired:
    """``repairs`` names what was not plain JSON, in the order met; empty for a text that was nothing else."""

    value: Json
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the text that begins like JSON: its value, or the error that it is none.

    ``meant``: JSON that is broken, not prose that only looks like it.
    """

    start: int
    end: int
    value: Json = None
    repairs: tuple[str, ...] = ()
    error: JsonTextError | None = None
    meant: bool = True


def repair_json(text: str) -> Repaired:
    """The one JSON list or object in ``text``. Raises :class:`JsonTextError` (an ``InputError``)."""
    return _repair(text, _is_document, loose=True, what="JSON document", hint=_HINT)


def repair_plan(text: str) -> Repaired:
    """The one plan document in ``text``, other JSON around it passed over.

    To be given to :func:`app.plan.parse.plan_from_json`. Raises :class:`app.plan.problems.PlanSyntaxError`.
    """
    try:
        return _repair(text, _is_plan, loose=False, what="JSON plan", hint=_PLAN_HINT)
    except JsonTextError as error:
        raise refuse(error.message, error.hint or _PLAN_HINT, path=error.place) from None


def without_thinking(text: str) -> str:
    """The text behind a block of ``<think>`` that it begins with. Raises :class:`JsonTextError`: it never ends.

    Some servers leave out the opening tag, so an end without a beginning counts as well.
    """
    opened = _THINKING_START.match(text)
    closed = _THINKING_END.search(text)
    if opened is None and (closed is None or _OPENING.search(text, 0, closed.start())):
        return text
    if closed is None:
        raise JsonTextError("the reply ends while still thinking", "allow more output tokens, or think less")
    return without_thinking(text[closed.end() :])


def _repair(text: str, fits: Fits, *, loose: bool, what: str, hint: str) -> Repaired:
    if len(text) > MAX_CHARACTERS:
        raise JsonTextError("the reply is too large", f"at most {MAX_CHARACTERS:,} characters")
    if not text.strip():
        raise JsonTextError("the reply is empty", hint)
    whole = _decode_whole(text)
    if whole is not None:
        _check(whole.value)
        return whole
    rest = without_thinking(text)
    found = _one(rest, fits, loose=loose, what=what, hint=hint)
    thinking = (THINKING,) if len(rest) != len(text) else ()
    return Repaired(found.value, thinking + found.repairs)


def _decode_whole(text: str) -> Repaired | None:
    """The value of a text that is JSON from end to end, also JSON once more encoded as a text."""
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list | dict):
        return Repaired(decode_json(text, _OPENING.search(text).start())[0])  # type: ignore[union-attr]
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        inner = _decode_whole(value)
        return inner and Repaired(inner.value, (DOUBLE_ENCODING,))
    return None


def _check(value: Json) -> None:
    for problem in find_problems(value, 1):
        raise JsonTextError(problem.message, problem.hint, place=problem.path)


def _one(text: str, fits: Fits, *, loose: bool, what: str, hint: str) -> Repaired:
    """What is inside ``<answer>`` where something is there, else what is anywhere in the text."""
    answers = [answer.span(1) for answer in _ANSWER.finditer(text)]
    stretches = [stretch for start, stop in answers for stretch in _stretches(text, start, stop)]
    if not any(stretch.meant if stretch.error else fits(stretch.value) for stretch in stretches):
        stretches = list(_stretches(text, 0, len(text)))
    chosen = _choose(stretches, fits, loose=loose, what=what, hint=hint)
    return Repaired(chosen.value, (*_surroundings(text, chosen), *chosen.repairs))


def _choose(stretches: list[_Stretch], fits: Fits, *, loose: bool, what: str, hint: str) -> _Stretch:
    """The one stretch that fits; several must have one value. ``loose``: if none fits, any value may."""
    for stretch in stretches:
        if stretch.error is not None and stretch.meant:
            raise stretch.error
    values = [stretch for stretch in stretches if stretch.error is None]
    fitting = [stretch for stretch in values if fits(stretch.value)] or (values if loose else [])
    if not fitting:
        raise JsonTextError(f"there is no {what} in the text", hint)
    for stretch in fitting:
        _check(stretch.value)
    if len({json.dumps(stretch.value, sort_keys=True) for stretch in fitting}) > 1:
        raise JsonTextError(f"there are several different {what}s in the text", hint)
    return fitting[0]


def _surroundings(text: str, chosen: _Stretch) -> tuple[str, ...]:
    """What stood around the JSON: a fence, other text, both."""
    before, after = text[: chosen.start].strip(), text[chosen.end :].strip()
    opened = [*_FENCE.finditer(before)]
    fenced = bool(opened) and opened[-1].end() == len(before)
    if fenced:
        before = before[: opened[-1].start()]
        after = after.removeprefix(opened[-1][0][:3])
    found = (CODE_FENCE,) if fenced else ()
    return (*found, SURROUNDING_TEXT) if before.strip("\ufeff \n") or after.strip() else found


def _stretches(text: str, start: int, stop: int) -> Iterator[_Stretch]:
    """Each stretch between the offsets that begins with a bracket; linear, as it goes on where one ended."""
    failures = 0
    while (opening := _OPENING.search(text, start, stop)) is not None:
        stretch = _read(text, opening.start())
        yield stretch
        start = max(stretch.end, opening.end())
        failures += stretch.error is not None
        if failures > MAX_FAILURES:
            raise JsonTextError("too much in the text begins like JSON and isn't", _HINT)


def _read(text: str, start: int) -> _Stretch:
    try:
        value, end = decode_json(text, start)
    except JsonTextError:
        return _read_leniently(text, start)
    return _Stretch(start, end, value)


def _read_leniently(text: str, start: int) -> _Stretch:
    reader = LenientReader(text, start)
    try:
        value = reader.read()
    except JsonTextError as error:
        return _Stretch(start, error.end or reader.end, error=error, meant=reader.members > 0)
    return _Stretch(start, reader.end, value, reader.repairs)


def _is_document(value: Json) -> bool:
    """Not a mere ``{}`` or ``[1]``, as they stand in prose."""
    if isinstance(value, dict):
        return bool(value)
    return any(isinstance(entry, dict) for entry in value)


def _is_plan(value: Json) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("steps"), list)
    return any(isinstance(step, dict) and "seq_no" in step for step in value)
