"""What can be said for certain from a tool's JSON schema about a value that is only partly known.

Schemas come from anybody's tools. Each answer errs towards "it may be": what is not understood, is
malformed or lies outside the schema never counts against a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Any
"""A JSON schema: an object, a boolean, or whatever else somebody wrote there."""

TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})

_Known: TypeAlias = dict[tuple[int, int, bool], bool]

_SHAPING: Final = frozenset(
    {"properties", "patternProperties", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas"}
)
"""Keywords that say which properties there may be. Where two of them meet, each tells only a part."""


class ToolSchema:
    """A schema document, asked about its parts. ``root`` is where ``$ref`` pointers start.

    Answers are kept by the identity of the part, which lives as long as ``root``. While one is being worked
    out it counts as "it may be", so that a schema that holds itself ends.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        self._admitted: dict[tuple[int, str], bool] = {}

    def layers(self, schema: Schema) -> list[Mapping[str, Any]]:
        """The schema, what it refers to, and its ``allOf``: a value must fit every one of them."""
        found: dict[int, Mapping[str, Any]] = {}
        due = [schema]
        while due:
            layer = due.pop()
            if not isinstance(layer, Mapping) or id(layer) in found:
                continue
            found[id(layer)] = layer
            due.extend(reversed(_listed(layer.get("allOf"))))
            if "$ref" in layer:
                due.append(self._referred(layer["$ref"]))
        return list(found.values())

    def admits(self, schema: Schema, type_name: str) -> bool:
        """Whether a value of the JSON type (``string``, ``object`` or ``array``) may fit."""
        if not isinstance(schema, Mapping):
            return schema is not False
        key = (id(schema), type_name)
        if key not in self._admitted:
            self._admitted[key] = True
            self._admitted[key] = all(self._layer_admits(layer, type_name) for layer in self.layers(schema))
        return self._admitted[key]

    def _layer_admits(self, layer: Mapping[str, Any], type_name: str) -> bool:
        declared = layer.get("type")
        if isinstance(declared, str):
            declared = [declared]
        if isinstance(declared, list) and type_name not in declared and TYPES.issuperset(map(str, declared)):
            return False
        if "const" in layer and json_type(layer["const"]) != type_name:
            return False
        enum = layer.get("enum")
        if isinstance(enum, list) and all(json_type(value) != type_name for value in enum):
            return False
        return all(
            any(self.admits(member, type_name) for member in members) for members in _alternatives(layer)
        )

    def has_path(self, path: Sequence[str | int]) -> bool:
        """Whether a value that fits the whole schema may have something at ``path`` (outermost first).

        An object with ``properties`` is taken to have no others, unless the schema says that it may: what
        nobody has described no plan can count on. Arguments are not judged by this, results are.
        """
        return self._has(self.root, tuple(path), True, {})

    def _has(self, schema: Schema, path: tuple[str | int, ...], alone: bool, known: _Known) -> bool:
        """``alone``: nothing around the schema adds to the properties of the value."""
        if not path:
            return True
        if not isinstance(schema, Mapping):
            return schema is not False
        key = (id(schema), len(path), alone)
        if key not in known:
            known[key] = True
            layers = self.layers(schema)
            alone = alone and sum(len(layer.keys() & _SHAPING) for layer in layers) <= 1
            known[key] = all(self._layer_has(layer, path, alone, known) for layer in layers)
        return known[key]

    def _layer_has(
        self, layer: Mapping[str, Any], path: tuple[str | int, ...], alone: bool, known: _Known
    ) -> bool:
        first, rest = path[0], path[1:]
        if isinstance(first, int):
            possible, part = self._layer_admits(layer, "array"), item_schema(layer, first)
        else:
            possible, part = self._layer_admits(layer, "object"), property_schema(layer, first)
            if alone and first not in property_names(layer) and _describes_all(layer):
                return False
        if not possible or not self._has(part, rest, True, known) or part is False:
            return False
        return all(
            any(self._has(member, path, alone, known) for member in members)
            for members in _alternatives(layer)
        )

    def _referred(self, pointer: Any) -> Schema:
        """What a local ``$ref`` points at; ``True`` (anything) for one that leads elsewhere."""
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            return True
        place: Any = self.root
        for part in pointer[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping) and key in place:
                place = place[key]
            elif isinstance(place, list) and key.isdigit() and int(key) < len(place):
                place = place[int(key)]
            else:
                return True
        return place


def property_schema(layer: Mapping[str, Any], key: str) -> Schema:
    """What the layer asks of the property; ``False`` where it may not be there, ``True`` for anything."""
    properties = layer.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        return properties[key]
    if layer.get("patternProperties"):
        return True
    return layer.get("additionalProperties", True)


def item_schema(layer: Mapping[str, Any], index: int) -> Schema:
    """What the layer asks of the list's item; ``False`` where it may not be there, ``True`` for anything."""
    first = _listed(layer.get("prefixItems"))
    if 0 <= index < len(first):
        return first[index]
    items = layer.get("items", True)
    return True if isinstance(items, list) or index < 0 else items


def _describes_all(layer: Mapping[str, Any]) -> bool:
    return bool(property_names(layer)) and not layer.keys() & {
        "additionalProperties",
        "unevaluatedProperties",
    }


def required_names(layer: Mapping[str, Any]) -> list[str]:
    """The properties that must be there."""
    return [name for name in _listed(layer.get("required")) if isinstance(name, str)]


def property_names(layer: Mapping[str, Any]) -> list[str]:
    """The properties the layer describes."""
    properties = layer.get("properties")
    return list(properties) if isinstance(properties, Mapping) else []


def describe(schema: Schema) -> str:
    """What the schema asks for, in a few words: ``string``, ``integer or null``, ``any JSON``."""
    if not isinstance(schema, Mapping):
        return "any JSON"
    if isinstance(schema.get("enum"), list):
        return _either(repr(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    declared = schema.get("type")
    if isinstance(declared, str):
        return declared
    if isinstance(declared, list):
        return _either(str(name) for name in declared)
    for members in _alternatives(schema):
        return _either(describe(member) for member in members)
    return "any JSON"


def json_type(value: Any) -> str:
    """The JSON type of a value, a whole number being an ``integer``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kinds, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kinds):
            return name
    return "object"


def _either(words: Iterable[str]) -> str:
    names = list(dict.fromkeys(words))
    shown = names if len(names) <= 8 else [*names[:7], "…"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}" if shown else "nothing"


def _alternatives(layer: Mapping[str, Any]) -> Iterator[list[Schema]]:
    for keyword in ("anyOf", "oneOf"):
        members = _listed(layer.get(keyword))
        if members:
            yield members


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
