"""The quick way to see that a plan's argument fits: a predicate made from the usual parts of JSON schemas.

``True`` means that it fits as far as the plan tells; ``False`` that it has to be looked at closely. Values
are as they stand in the plan: text with ``${`` in it may be anything that a reference can give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from app.plan.expressions import ExpressionSyntaxError
from app.plan.references import TemplateSyntaxError, compile_template

Fits: TypeAlias = Callable[[Any], bool]

_REMARKS: Final = frozenset(
    {"title", "description", "default", "examples", "$schema", "$id", "$defs", "deprecated"}
)
_SCALARS: Final[dict[str, tuple[type, ...]]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
MAX_DEPTH: Final = 8


def quick_fit(schema: Any, depth: int = 0) -> Fits | None:
    """The predicate, or ``None`` where the schema has parts it doesn't know."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return _anything if schema is True else None
    keys = frozenset(schema) - _REMARKS
    if not keys:
        return _anything
    if keys == {"anyOf"}:
        return _any_of(schema["anyOf"], depth)
    if keys == {"enum"} or (keys == {"enum", "type"} and schema["type"] == "string"):
        return _enum(schema)
    maker = _MAKERS.get(schema["type"]) if isinstance(schema.get("type"), str) else None
    return maker(schema, keys - {"type"}, depth) if maker else None


def _anything(value: Any) -> bool:
    return True


def _never(value: Any) -> bool:
    return False


def _may_be_anything(value: Any) -> bool:
    """Whether the value is a text that is one whole reference or expression."""
    if type(value) is not str or not value.startswith("${"):
        return False
    try:
        return compile_template(value).whole
    except (TemplateSyntaxError, ExpressionSyntaxError):
        return False


def _string(schema: Mapping[str, Any], keys: frozenset[str], depth: int) -> Fits | None:
    # Also with references in it: the text they make is a text.
    return None if keys else lambda value: type(value) is str


def _scalar(schema: Mapping[str, Any], keys: frozenset[str], depth: int) -> Fits | None:
    if not keys <= {"minimum", "maximum"}:
        return None
    types = _SCALARS[schema["type"]]
    least, most = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    if type(least) not in (int, float) or type(most) not in (int, float):
        return None
    bounded = bool(keys)

    def fits(value: Any) -> bool:
        if type(value) in types:
            return not bounded or least <= value <= most
        return _may_be_anything(value)

    return fits


def _array(schema: Mapping[str, Any], keys: frozenset[str], depth: int) -> Fits | None:
    each = quick_fit(schema.get("items", True), depth + 1)
    if each is None or not keys <= {"items"}:
        return None

    def fits(value: Any) -> bool:
        if type(value) is list:
            return all(map(each, value))
        return _may_be_anything(value)

    return fits


def _object(schema: Mapping[str, Any], keys: frozenset[str], depth: int) -> Fits | None:
    properties, needed = schema.get("properties", {}), schema.get("required", [])
    more = schema.get("additionalProperties", True)
    other = _never if more is False else quick_fit(more, depth + 1) or _may_be_anything
    if not keys <= {"properties", "required", "additionalProperties"} or not isinstance(properties, Mapping):
        return None
    if not isinstance(needed, list) or not all(isinstance(name, str) for name in needed):
        return None
    known = {name: quick_fit(part, depth + 1) or _may_be_anything for name, part in properties.items()}
    required = frozenset(needed)

    def fits(value: Any) -> bool:
        if type(value) is not dict:
            return _may_be_anything(value)
        if not required <= value.keys():
            return False
        return all(known.get(name, other)(part) for name, part in value.items())

    return fits


def _any_of(members: Any, depth: int) -> Fits | None:
    if not isinstance(members, list):
        return None
    ways = [way for member in members if (way := quick_fit(member, depth + 1)) is not None]
    return (lambda value: any(way(value) for way in ways)) if ways else None


def _enum(schema: Mapping[str, Any]) -> Fits | None:
    values = schema["enum"]
    if not isinstance(values, list):
        return None
    texts = frozenset(value for value in values if isinstance(value, str))
    return lambda value: type(value) is str and (value in texts or _may_be_anything(value))


_MAKERS: Final = {
    "string": _string,
    "integer": _scalar,
    "number": _scalar,
    "boolean": _scalar,
    "null": _scalar,
    "array": _array,
    "object": _object,
}
