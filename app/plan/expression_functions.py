"""The functions of expressions. :data:`FUNCTIONS` is the whole list; docs and prompts are made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import ExpressionFailed
from app.plan.budget import ITEM, Budget
from app.plan.expression_operators import checked_number, contains
from app.plan.model import Json
from app.plan.paths import pick
from app.plan.values import is_number, shorten, type_name

_INTEGER: Final = re.compile(r"\s*[+-]?[0-9]{1,4300}\s*", re.ASCII)
_DECIMAL: Final = re.compile(
    r"\s*[+-]?(?:[0-9]{1,4300}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII
)
_MAX_DIGITS: Final = 300
_SORTING: Final = 8
"""A value that is sorted is looked at several times."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function: how it is written, what it gives in one line, and how many arguments it takes."""

    signature: str
    doc: str
    call: Callable[..., Json]
    at_least: int = 1
    at_most: int = 1

    @property
    def name(self) -> str:
        """The name it is called by."""
        return self.signature.partition("(")[0]

    def accepts(self, count: int) -> bool:
        """Whether it may be called with so many arguments."""
        return self.at_least <= count <= self.at_most


def _len(budget: Budget, value: Json) -> Json:
    if type(value) in (str, list, dict):
        return len(value)
    raise _wrong("len", "a text, a list or an object", value)


def _min(budget: Budget, *values: Json) -> Json:
    return min(_comparable("min", budget, values))


def _max(budget: Budget, *values: Json) -> Json:
    return max(_comparable("max", budget, values))


def _comparable(name: str, budget: Budget, values: tuple[Json, ...]) -> list[Json]:
    items = _list(name, values[0]) if len(values) == 1 else list(values)
    if not items:
        raise ExpressionFailed(f"{name} of an empty list")
    budget.spend_tree(items)
    if not (all(map(is_number, items)) or all(type(item) is str for item in items)):
        raise ExpressionFailed(f"{name} needs only numbers or only texts")
    return items


def _sum(budget: Budget, values: Json) -> Json:
    items = _list("sum", values)
    budget.spend(ITEM * len(items))
    total: Json = 0
    for item in items:  # not Python's sum(): its rounding differs from release to release
        if not is_number(item):
            raise _wrong("sum", "a list of numbers", item)
        total = total + item
    return checked_number(total)


def _round(budget: Budget, value: Json, digits: Json = None) -> Json:
    if not is_number(value):
        raise _wrong("round", "a number", value)
    if digits is None:
        return checked_number(round(value))
    if type(digits) is not int or abs(digits) > _MAX_DIGITS:
        raise ExpressionFailed(f"round needs a whole number of digits, at most {_MAX_DIGITS}")
    return checked_number(round(value, digits))


def _int(budget: Budget, value: Json) -> Json:
    if is_number(value) or type(value) is bool:
        return checked_number(int(value))
    if type(value) is str and _INTEGER.fullmatch(value):
        return checked_number(int(value))
    raise _wrong("int", "a number or the text of a whole number", value)


def _float(budget: Budget, value: Json) -> Json:
    if is_number(value) or type(value) is bool:
        return checked_number(float(value))
    if type(value) is str and _DECIMAL.fullmatch(value):
        return checked_number(float(value))
    raise _wrong("float", "a number or the text of one", value)


def _str(budget: Budget, value: Json) -> Json:
    return budget.text_of(value)


def _json(budget: Budget, value: Json) -> Json:
    return budget.json_of(value)


def _lower(budget: Budget, text: Json) -> Json:
    budget.spend(len(_text("lower", text)))
    return text.lower()


def _upper(budget: Budget, text: Json) -> Json:
    budget.spend(len(_text("upper", text)))
    return text.upper()


def _split(budget: Budget, text: Json, separator: Json = None) -> Json:
    budget.spend(len(_text("split", text)))
    if separator is not None and not _text("split", separator):
        raise ExpressionFailed(
            "split needs a separator that is not empty", hint="leave it out to split at space"
        )
    most = budget.left // ITEM
    parts = text.split(separator, most)
    budget.spend(ITEM * len(parts))
    return parts


def _join(budget: Budget, items: Json, separator: Json = "") -> Json:
    if type(items) is str:  # as in Python, the separator first: the types leave no doubt
        items, separator = separator, items
    texts = []
    for item in _list("join", items):
        budget.spend(len(_text("join", separator)) + ITEM)
        texts.append(_str(budget, item))
    return _text("join", separator).join(texts)


def _contains(budget: Budget, container: Json, item: Json) -> Json:
    return contains(budget, item, container)


def _startswith(budget: Budget, text: Json, prefix: Json) -> Json:
    budget.spend(len(_text("startswith", prefix)))
    return _text("startswith", text).startswith(prefix)


def _sorted(budget: Budget, items: Json, key: Json = None) -> Json:
    ordered = list(_list("sorted", items))
    budget.spend(ITEM * len(ordered))
    keys = ordered if key is None else [pick(item, key, "sorted") for item in ordered]
    budget.spend_tree(keys)
    budget.spend(_SORTING * ITEM * len(ordered))
    try:
        places = sorted(range(len(ordered)), key=keys.__getitem__)
    except TypeError:
        raise ExpressionFailed("sorted needs values of one type that can be ordered") from None
    return [ordered[place] for place in places]


def _keys(budget: Budget, value: Json) -> Json:
    budget.spend(_SORTING * ITEM * len(_object("keys", value)))
    return sorted(value)


def _values(budget: Budget, value: Json) -> Json:
    budget.spend(_SORTING * ITEM * len(_object("values", value)))
    return [value[key] for key in sorted(value)]


def _text(name: str, value: Json) -> str:
    if type(value) is not str:
        raise _wrong(name, "a text", value)
    return value


def _list(name: str, value: Json) -> list[Json]:
    if type(value) is not list:
        raise _wrong(name, "a list", value)
    return value


def _object(name: str, value: Json) -> dict[str, Json]:
    if type(value) is not dict:
        raise _wrong(name, "an object", value)
    return value


def _wrong(name: str, wanted: str, value: Json) -> ExpressionFailed:
    shown = f" {shorten(value, 20)!r}" if type(value) is str else ""
    return ExpressionFailed(f"{name} needs {wanted}, not {type_name(value)}{shown}")


_MANY: Final = 1_000

_TABLE: Final = (
    Function("len(value)", "characters of a text, items of a list, keys of an object", _len),
    Function("min(list) or min(a, b, …)", "the smallest of numbers or of texts", _min, 1, _MANY),
    Function("max(list) or max(a, b, …)", "the largest of numbers or of texts", _max, 1, _MANY),
    Function("sum(list)", "the numbers of a list added from left to right; 0 for none", _sum),
    Function("round(number, digits?)", "to a whole number, or to digits; halves to even", _round, 1, 2),
    Function("int(value)", "a whole number from a number (cut off), a text or a boolean", _int),
    Function("float(value)", "a number with a fraction from a number, a text or a boolean", _float),
    Function("str(value)", "a text as it is, any other value as JSON on one line", _str),
    Function("lower(text)", "the text in small letters", _lower),
    Function("upper(text)", "the text in capital letters", _upper),
    Function("split(text, separator?)", "the parts of a text; without separator, its words", _split, 1, 2),
    Function("join(list, separator?)", "the items, each as by str, with separator between", _join, 1, 2),
    Function("contains(value, item)", "the same as: item in value", _contains, 2, 2),
    Function("startswith(text, prefix)", "whether the text begins with prefix", _startswith, 2, 2),
    Function(
        "sorted(list, key?)", "ascending; by a key of its objects or an index of its lists", _sorted, 1, 2
    ),
    Function("keys(object)", "the keys of an object, sorted", _keys),
    Function("values(object)", "the values of an object, in the order of its sorted keys", _values),
    Function("json(value)", "any value as JSON on one line: texts are quoted, keys sorted", _json),
)

FUNCTIONS: Final[Mapping[str, Function]] = {function.name: function for function in _TABLE}
"""Every function an expression may call, by name."""
