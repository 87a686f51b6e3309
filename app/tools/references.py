"""Schemas without ``$ref`` where that is possible: whoever reads a tool's schema sees it in one piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_PREFIX: Final = "#/$defs/"


def inline_references(schema: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` with each reference replaced by its definition.

    A definition that contains itself stays a reference, and stays below ``$defs``.
    """
    endless = {name for name in definitions if name in _reached(name, definitions)}
    inlined: dict[str, Any] = _inlined(schema, definitions, endless)
    if endless:
        inlined["$defs"] = {
            name: _inlined(definitions[name], definitions, endless) for name in sorted(endless)
        }
    return inlined


def _inlined(schema: Any, definitions: Mapping[str, Any], endless: set[str]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions, endless) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = _referenced(schema)
    if name is None or name in endless:
        return {key: _inlined(item, definitions, endless) for key, item in schema.items()}
    beside = {key: item for key, item in schema.items() if key != "$ref"}
    return {**_inlined(definitions[name], definitions, endless), **_inlined(beside, definitions, endless)}


def _reached(name: str, definitions: Mapping[str, Any]) -> set[str]:
    """The definitions that ``name`` refers to, directly or through others."""
    found: set[str] = set()
    left = [name]
    while left:
        for other in _references(definitions[left.pop()]):
            if other not in found:
                found.add(other)
                left.append(other)
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item)
    elif isinstance(schema, dict):
        name = _referenced(schema)
        if name is not None:
            yield name
        for item in schema.values():
            yield from _references(item)


def _referenced(schema: Mapping[str, Any]) -> str | None:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_PREFIX):
        return reference.removeprefix(_PREFIX)
    return None
