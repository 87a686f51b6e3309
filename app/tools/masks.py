"""Takes values that nobody must see out of what tools give and say, in whatever form they stand there."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import orjson

from app.plan.model import Json
from app.tools.mask_forms import Form, forms_of, variants

_KEPT: Final = 64
"""How many compiled expressions are kept."""


class _Hidden(NamedTuple):
    """One form of one value; ``size`` decides which of two goes first where both match."""

    shown: str
    size: int
    form: Form


class Masks:
    """``values`` maps what is shown instead to the value that is hidden: ``{"secret:TOKEN": "…"}``.

    A value is hidden as it is, and URL-quoted, escaped for JSON, HTML or Python, in base64 and in hexadecimal.
    Nothing is worked out before there is something to look through.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {shown: value.strip() for shown, value in values.items()}
        self._replacer = lru_cache(_KEPT)(self._make_replacer)

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._values)

    def __repr__(self) -> str:
        return f"Masks({', '.join(self._values)})"

    def text(self, text: str) -> str:
        """The text without the values; the very same object where there were none."""
        hits = tuple(
            index
            for index, hidden in enumerate(self._hidden)
            for needle in hidden.form.needles
            if needle in text
        )
        if not hits:
            return text
        masked = self._replacer(hits)(text)
        return masked if masked != text else text

    def json(self, value: Json) -> Json:
        """The value without the values, in keys too; the very same object where there were none.

        A number that is a value becomes a text. Keys that become equal are told apart by ``_`` at their end.
        """
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is list or kind is dict:
            return self._walk(value) if self._may_hold(value) else value
        return self._walk(value)

    def beginning_at_end(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a value."""
        longest = 0
        for value in self._beginnings:
            at = text.find(value[0], max(0, len(text) - len(value) + 1))
            while at >= 0 and not value.startswith(text[at:]):
                at = text.find(value[0], at + 1)
            longest = max(longest, len(text) - at if at >= 0 else 0)
        return longest

    def _may_hold(self, value: Json) -> bool:
        """A look at all of a value at once: much faster than one at each of its parts."""
        try:
            encoded = orjson.dumps(value)
        except orjson.JSONEncodeError:
            return True
        return any(needle in encoded for needle in self._needles)

    def _walk(self, value: Json) -> Json:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is list:
            masked = list(map(self._walk, value))
            return masked if any(new is not old for new, old in zip(masked, value, strict=True)) else value
        if kind is dict:
            return self._object(value)
        return self._numbers.get(value, value) if kind is int or kind is float else value

    def _object(self, items: dict[str, Json]) -> dict[str, Json]:
        masked: dict[str, Json] = {}
        changed = False
        for key, item in items.items():
            shown, value = self.text(key), self._walk(item)
            changed = changed or shown is not key or value is not item
            while shown in masked or (shown is not key and shown in items):
                shown += "_"
            masked[shown] = value
        return masked if changed else items

    @cached_property
    def _hidden(self) -> list[_Hidden]:
        return [
            _Hidden(shown, len(value), form)
            for shown, value in self._values.items()
            for form in forms_of(value)
        ]

    @cached_property
    def _needles(self) -> list[bytes]:
        needles = {needle.encode() for hidden in self._hidden for needle in hidden.form.needles}
        return sorted(needles | {orjson.dumps(number) for number in self._numbers})

    @cached_property
    def _beginnings(self) -> list[str]:
        texts = {text for value in self._values.values() for text in variants(value)}
        return sorted(texts | {b64encode(text.encode()).decode() for text in texts})

    @cached_property
    def _numbers(self) -> dict[int | float, str]:
        found = ((_number(value), shown) for shown, value in self._values.items())
        return {number: shown for number, shown in found if number is not None}

    def _make_replacer(self, hits: tuple[int, ...]) -> Callable[[str], str]:
        """Replaces these forms. A value may be a part of another one: the longer goes first. It may be a part
        of a mask, too: what is masked already is found as well, and stays."""
        forms = [self._hidden[index] for index in dict.fromkeys(hits)]
        found = [(hidden.size, hidden.form.pattern, hidden.shown) for hidden in forms]
        found += [(len(shown), re.escape(shown) + r"(?!\w)", shown) for shown in self._values]
        found.sort(key=lambda each: -each[0])
        pattern = re.compile("|".join(f"({pattern})" for _, pattern, _ in found))
        return lambda text: pattern.sub(lambda match: found[(match.lastindex or 1) - 1][2], text)


NO_MASKS: Final = Masks({})


def _number(value: str) -> int | float | None:
    """The number of JSON that is written just like this; ``None`` where there is none."""
    try:
        number = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    is_number = type(number) is int or type(number) is float
    return number if is_number and orjson.dumps(number).decode() == value else None
