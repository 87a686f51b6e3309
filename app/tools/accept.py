"""A fast yes. jsonschema needs microseconds for every value it looks at; most arguments are plainly right.

A schema becomes a predicate of closures. The predicate may say no to what the schema allows (then jsonschema
decides, and words the error), never yes to what it forbids. Schemas with other keywords have no predicate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from app.plan.model import Json

Predicate: TypeAlias = Callable[[Json], bool]

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
_COMPARABLE: Final[tuple[type, ...]] = (str, int, bool, type(None))
_NOTES: Final = frozenset({"title", "description", "default", "examples", "format", "deprecated"})
_KEYWORDS: Final = frozenset(
    {"type", "items", "properties", "required", "additionalProperties", "const", "enum", "anyOf"}
)


def accepter(schema: Any) -> Predicate | None:
    """A predicate that is true only for values that fit ``schema``, or ``None`` where there is none."""
    if schema is True or schema == {}:
        return _anything
    if not isinstance(schema, Mapping) or not schema.keys() <= _KEYWORDS | _NOTES:
        return None
    keywords = schema.keys() & _KEYWORDS
    if not keywords:
        return _anything
    if keywords == {"anyOf"}:
        return _any_of(schema["anyOf"])
    choices = [schema["const"]] if "const" in keywords else schema.get("enum")
    types = _TYPES.get(schema.get("type", ""))
    if choices is not None:
        return _enumerated(choices, types or _COMPARABLE) if len(keywords - {"type"}) == 1 else None
    if types is None or "anyOf" in keywords:
        return None
    if types == (list,) and keywords <= {"type", "items"}:
        return _array(schema.get("items", True))
    if types == (dict,) and "items" not in keywords:
        return _object(schema)
    return _typed(types) if keywords == {"type"} else None


def _anything(value: Json) -> bool:
    return True


def _typed(types: tuple[type, ...]) -> Predicate:
    if len(types) == 1:
        (only,) = types
        return lambda value: type(value) is only
    return lambda value: type(value) in types


def _enumerated(choices: list[Json], types: tuple[type, ...]) -> Predicate:
    # JSON tells 1 from true, Python does not: the type is part of what is compared.
    allowed = [kind for kind in types if kind in _COMPARABLE]
    known = {(type(choice), choice) for choice in choices if type(choice) in allowed}
    return lambda value: type(value) in allowed and (type(value), value) in known


def _any_of(schemas: list[Any]) -> Predicate | None:
    predicates = [predicate for predicate in map(accepter, schemas) if predicate is not None]
    if not predicates:
        return None
    return lambda value: any(predicate(value) for predicate in predicates)


def _array(items: Any) -> Predicate | None:
    fits = accepter(items)
    if fits is None:
        return None
    if fits is _anything:
        return _typed((list,))
    return lambda value: type(value) is list and all(map(fits, value))


def _object(schema: Mapping[str, Any]) -> Predicate | None:
    known: dict[str, Predicate] = {}
    for name, property_schema in schema.get("properties", {}).items():
        fits = accepter(property_schema)
        if fits is None:
            return None
        known[name] = fits
    required = tuple(schema.get("required", ()))
    additional = schema.get("additionalProperties", True)
    fits_extra = None if additional is False else accepter(additional)
    if additional is not False and fits_extra is None:
        return None

    def fits_object(value: Json) -> bool:
        if type(value) is not dict:
            return False
        for key, item in value.items():
            check = known.get(key, fits_extra)
            if check is None or not check(item):
                return False
        return all(key in value for key in required)

    return fits_object
