"""Whether a JSON schema keeps to the subset that servers enforce strictly; to others they may say no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_UNKNOWN: Final = frozenset(
    [
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "unevaluatedProperties",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "contains",
        "prefixItems",
        "uniqueItems",
    ]
)
_BRANCHES: Final = ("properties", "$defs", "definitions")


def is_strict(schema: Mapping[str, Any]) -> bool:
    """An object at the root; every object closed and all its properties required; no keyword beyond the subset."""
    return schema.get("type") == "object" and _keeps(schema)


def _keeps(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or not schema or _UNKNOWN & schema.keys():
        return False
    kinds = schema.get("type")
    if (kinds == "object" or (isinstance(kinds, list) and "object" in kinds)) and not _is_closed(schema):
        return False
    inner = [entry for name in _BRANCHES for entry in schema.get(name, {}).values()]
    inner += [schema["items"]] if "items" in schema else []
    return all(map(_keeps, [*inner, *schema.get("anyOf", ())]))


def _is_closed(schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties", {})
    return schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(properties)
