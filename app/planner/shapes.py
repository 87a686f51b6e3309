"""JSON schemas in the few characters that a model reads well: ``{"path": string, "size"?: integer}``.

Nothing is left out unasked: a keyword without a short form follows as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.plan.tool_schema import Schema
from app.plan.values import to_json_text

_SILENT: Final = frozenset({"title", "description", "$schema"})
_DEPTH: Final = 12
"""Levels that are written in the short form; what lies deeper follows as it is."""


def shape(schema: Schema, silent: frozenset[str] = frozenset()) -> str:
    """What the schema asks for, on one line; nothing is said of the keywords in ``silent``."""
    return _shape(schema, _SILENT | silent, 0)


def _shape(schema: Schema, silent: frozenset[str], depth: int) -> str:
    if not isinstance(schema, Mapping):
        return "nothing" if schema is False else "any JSON"
    if depth > _DEPTH:
        return to_json_text(dict(schema))
    rest = {key: value for key, value in schema.items() if key not in silent}
    base = _base(rest, silent, depth)
    notes = ", ".join(f"{keyword} {to_json_text(value)}" for keyword, value in rest.items())
    return f"{base} ({notes})" if notes else base


def _base(rest: dict[str, Any], silent: frozenset[str], depth: int) -> str:
    """The short form; what it says is taken out of ``rest``."""
    if isinstance(rest.get("enum"), list):
        rest.pop("type", None)
        return _either([to_json_text(value) for value in rest.pop("enum")])
    if "const" in rest:
        rest.pop("type", None)
        return to_json_text(rest.pop("const"))
    for keyword in ("anyOf", "oneOf"):
        if isinstance(rest.get(keyword), list) and rest[keyword]:
            return _either([_shape(member, silent, depth + 1) for member in rest.pop(keyword)])
    declared = rest.pop("type", None)
    if declared == "object":
        return _object(rest, silent, depth)
    if declared == "array":
        return f"list of {_shape(rest.pop('items', True), silent, depth + 1)}"
    if isinstance(declared, list):
        return _either([str(name) for name in declared])
    return str(declared) if isinstance(declared, str) else "any JSON"


def _object(rest: dict[str, Any], silent: frozenset[str], depth: int) -> str:
    properties = rest.pop("properties", None)
    required = rest.pop("required", None)
    others = rest.pop("additionalProperties", None)
    names = required if isinstance(required, list) else []
    fields = [
        f'"{name}"{"" if name in names else "?"}: {_shape(part, silent, depth + 1)}'
        for name, part in (properties.items() if isinstance(properties, Mapping) else ())
    ]
    if isinstance(others, Mapping):
        fields.append(f"any other name: {_shape(others, silent, depth + 1)}")
    return "{" + ", ".join(fields) + "}" if fields else "object"


def _either(ways: list[str]) -> str:
    return " | ".join(dict.fromkeys(ways))
