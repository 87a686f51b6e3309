"""Finding the one plan, or the one JSON object, in a text that may have prose around it.

Nothing is guessed: what is broken, or there twice and different, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app.plan.json_text import JsonTextError, decode_json, find_problems
from app.plan.model import Json
from app.plan.problems import PlanSyntaxError, refuse

MAX_FAILURES: Final = 200
"""Stretches of a text that begin like JSON and aren't. The place of each costs a walk through the text."""

_ANSWER: Final = "<answer>"
_ANSWER_END: Final = "</answer>"
_PLAN_START: Final = re.compile(r"""\[\s*\{\s*"|\{\s*\"""")
_OBJECT_START: Final = re.compile(r"""\{\s*["}]""")
_MEMBER: Final = re.compile(r'"\s*:\s*\Z')
_LOOK_BACK: Final = 100
_PLAN_WORDS: Final = re.compile(r'"(?:seq_no|steps)"')
_PLAN_HINT: Final = 'a plan is a JSON list of steps or {"version": 1, "steps": [ … ]}'
_OBJECT_HINT: Final = "the text should hold exactly one JSON object"

_Attempt: TypeAlias = tuple[int, Json, JsonTextError | None]
"""Where a stretch begins that looks like JSON, and its value or the error that it is none."""


def find_document(text: str) -> Json:
    """The decoded plan document in ``text``. Raises :class:`PlanSyntaxError`.

    A text that is JSON from end to end is taken as it is; else what is inside ``<answer>``, if a plan begins
    there; else the whole text.
    """
    try:
        return _find_plan(text)
    except JsonTextError as error:
        raise _as_plan_error(error) from None


def find_json_object(text: str) -> dict[str, Json]:
    """The one JSON object in ``text``, checked for what JSON can't hold. Raises :class:`JsonTextError`."""
    try:
        document = _decode_whole(text)
    except JsonTextError as error:
        document = _search_object(text, error)
    for problem in find_problems(document):
        raise JsonTextError(problem.message, problem.hint, place=problem.path)
    if not isinstance(document, dict):
        raise JsonTextError("the text is a JSON list", _OBJECT_HINT)
    return document


@dataclass(slots=True)
class _Found:
    """The values that were looked for, and the first error of a stretch that began like one."""

    values: list[Json] = field(default_factory=list)
    error: JsonTextError | None = None

    def only(self, what: str, hint: str) -> Json:
        """The one value, which may be there several times. Raises :class:`JsonTextError`."""
        if not self.values:
            raise self.error or JsonTextError(f"there is no {what} in the text", hint)
        first = self.values[0]
        if any(value != first for value in self.values[1:]):
            raise JsonTextError(f"there are several different {what}s in the text", hint)
        return first


def _find_plan(text: str) -> Json:
    try:
        return _decode_whole(text)
    except JsonTextError as error:
        whole = error
    if whole.end is None:
        raise whole
    found = _search_answer(text) or _search_plan(text, 0, len(text))
    if found.error:
        raise found.error
    if not found.values and text.lstrip().startswith(("[", "{")):
        raise whole
    return found.only("JSON plan", _PLAN_HINT)


def _decode_whole(text: str) -> Json:
    """A list or object that is all of the text. Raises :class:`JsonTextError`."""
    start = len(text) - len(text.lstrip())
    if not text.startswith(("[", "{"), start):
        raise JsonTextError("not JSON", "JSON begins with [ or {", end=start)
    document, end = decode_json(text, start)
    if text[end:].strip():
        raise JsonTextError("not JSON: there is text after the end", "give nothing but the JSON", end=end)
    return document


def _search_answer(text: str) -> _Found | None:
    """What is inside ``<answer>``, or ``None`` where no plan begins. A cut reply has no end."""
    start = text.find(_ANSWER)
    if start < 0:
        return None
    stop = text.rfind(_ANSWER_END)
    found = _search_plan(text, start, stop if stop > start else len(text))
    return found if found.values or found.error else None


def _search_plan(text: str, start: int, stop: int) -> _Found:
    """All plans between the two offsets, and the first that is broken.

    Broken is what names a field of plans before the error, and what has a plan as a member behind it.
    """
    found = _Found()
    last_error: JsonTextError | None = None
    for begin, value, error in _attempts(text, _PLAN_START, start, stop):
        if error is not None:
            last_error = error
            if _PLAN_WORDS.search(text, begin, error.end or begin):
                found.error = found.error or error
        elif _looks_like_plan(value):
            found.values.append(value)
            if _MEMBER.search(text, max(begin - _LOOK_BACK, 0), begin):
                found.error = found.error or last_error
    return found


def _looks_like_plan(value: Json) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("steps"), list)
    return any(isinstance(step, dict) and "seq_no" in step for step in value)


def _search_object(text: str, whole: JsonTextError) -> Json:
    """The object in a text that is not JSON as a ``whole``; what only looks like one is passed over."""
    if whole.end is None:
        raise whole
    found = _Found()
    for _, value, error in _attempts(text, _OBJECT_START, 0, len(text)):
        if error is None:
            found.values.append(value)
        else:
            found.error = found.error or error
    return found.only("JSON object", _OBJECT_HINT)


def _attempts(text: str, beginning: re.Pattern[str], start: int, stop: int) -> Iterator[_Attempt]:
    """Each stretch from ``start`` to ``stop`` that begins like JSON, decoded.

    Linear: after a value it goes on behind it, after an error where the decoder gave up, so that no part of
    something broken is taken for the whole.
    """
    failures = 0
    while (match := beginning.search(text, start, stop)) is not None:
        try:
            value, start = decode_json(text, match.start())
        except JsonTextError as error:
            failures += 1
            if error.end is None or failures > MAX_FAILURES:
                raise
            start = max(error.end, match.start() + 1)
            yield match.start(), None, error
        else:
            yield match.start(), value, None


def _as_plan_error(error: JsonTextError) -> PlanSyntaxError:
    return refuse(error.message, error.hint or _PLAN_HINT, path=error.place)
