"""Arguments against a tool's schema before anything runs: what is known of them is checked, the rest isn't.

A value that is one whole reference may turn out to be anything, text with references in it is some text,
and what holds no reference is checked in full, by ``jsonschema``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Final, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from referencing import Registry

from app.plan.expressions import ExpressionSyntaxError
from app.plan.model import Json
from app.plan.paths import Path, format_path
from app.plan.quick_fit import quick_fit
from app.plan.references import TemplateSyntaxError, compile_template
from app.plan.secrets import secret_name
from app.plan.signature import ToolSignature
from app.plan.tool_schema import (
    Schema,
    ToolSchema,
    describe,
    item_schema,
    json_type,
    property_names,
    property_schema,
    required_names,
)
from app.plan.values import shorten


class Fault(NamedTuple):
    """What is wrong with the arguments at ``path`` (within them), and what would be right."""

    path: Path
    message: str
    hint: str


class _Gap:
    """Stands where a value is known only when the step runs."""


ANYTHING: Final = _Gap()
TEXT: Final = _Gap()


def outline(value: Json) -> Any:
    """The value with what only the run can tell replaced by a gap."""
    if isinstance(value, str):
        if secret_name(value) is not None:
            return TEXT
        return value if "${" not in value else _outline_text(value)
    if isinstance(value, list):
        return [outline(item) for item in value]
    if isinstance(value, Mapping):
        return {key: outline(item) for key, item in value.items()}
    return value


def _outline_text(text: str) -> Any:
    try:
        template = compile_template(text)
    except (TemplateSyntaxError, ExpressionSyntaxError):
        return ANYTHING
    if template.is_constant:
        return template.resolve({})
    return ANYTHING if template.whole else TEXT


def _has_gaps(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_gaps, value))
    if isinstance(value, dict):
        return any(map(_has_gaps, value.values()))
    return isinstance(value, _Gap)


class ArgumentCheck:
    """The check of one tool's arguments, made once and used for each of its calls."""

    def __init__(self, signature: ToolSignature) -> None:
        self.name = signature.name
        self.root = signature.parameters if isinstance(signature.parameters, Mapping) else {}
        self.schema = ToolSchema(self.root)
        self.quick = quick_fit(self.root)

    @cached_property
    def validator(self) -> Validator:
        """The full check. Its registry is empty, so that no ``$ref`` is fetched from the network."""
        return Draft202012Validator(self.root, registry=Registry())

    def faults(self, arguments: Mapping[str, Json]) -> list[Fault]:
        """What is wrong with the arguments of a call; a schema that makes no sense finds nothing wrong."""
        if self.quick is not None and self.quick(arguments):
            return []
        try:
            return list(dict.fromkeys(self._check(self.root, outline(arguments), ())))
        except Exception:  # noqa: BLE001 - anybody's schema: a bad pattern, a type or $ref that isn't there
            return []

    def _check(self, schema: Schema, value: Any, path: Path) -> Iterator[Fault]:
        if value is ANYTHING:
            return
        if value is TEXT:
            if not self.schema.admits(schema, "string"):
                yield self._wrong_type(schema, "text", path)
        elif not _has_gaps(value):
            yield from self._validate(schema, value, path)
        elif not self.schema.admits(schema, json_type(value)):
            yield self._wrong_type(schema, json_type(value), path)
        else:
            for layer in self.schema.layers(schema):
                yield from self._check_parts(layer, value, path)

    def _check_parts(self, layer: Mapping[str, Any], value: Any, path: Path) -> Iterator[Fault]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._check(item_schema(layer, index), item, (*path, index))
            return
        for name in required_names(layer):
            if name not in value:
                yield self._missing(layer, name, path)
        for name, part in value.items():
            asked = property_schema(layer, name)
            if asked is False and name not in property_names(layer):
                yield self._unknown(layer, name, path)
            else:
                yield from self._check(asked, part, (*path, name))

    def _validate(self, schema: Schema, value: Json, path: Path) -> Iterator[Fault]:
        if schema is True:
            return
        validator = self.validator if schema is self.root else self.validator.evolve(schema=schema)
        for error in validator.iter_errors(value):
            yield from self._explain(error, (*path, *error.absolute_path))

    def _explain(self, error: ValidationError, path: Path) -> Iterator[Fault]:
        layer: Schema = error.schema
        value: Any = error.instance
        if not isinstance(layer, Mapping):
            yield Fault(path, "nothing may stand here", self._usage())
        elif error.validator == "required":
            yield from (
                self._missing(layer, name, path) for name in required_names(layer) if name not in value
            )
        elif error.validator == "additionalProperties" and error.validator_value is False:
            yield from (self._unknown(layer, name, path) for name in value if _is_extra(layer, name))
        elif error.validator in ("type", "enum", "const", "anyOf", "oneOf"):
            yield self._wrong_type(layer, f"{json_type(value)} {shorten(repr(value), 40)}", path)
        else:
            yield Fault(path, f"{_called(path)}: {shorten(error.message, 200)}", self._usage())

    def _wrong_type(self, schema: Schema, given: str, path: Path) -> Fault:
        expected = next(
            (words for words in map(describe, self.schema.layers(schema)) if words != "any JSON"), ""
        )
        asked = f"must be {expected}, not {given}" if expected else f"can't be {given}"
        return Fault(path, f"{_called(path)} {asked}", self._usage())

    def _missing(self, layer: Mapping[str, Any], name: str, path: Path) -> Fault:
        asked = describe(property_schema(layer, name))
        return Fault(path, f"{self.name} needs {_called((*path, name))} ({asked})", self._usage())

    def _unknown(self, layer: Mapping[str, Any], name: str, path: Path) -> Fault:
        near = get_close_matches(name, property_names(layer), n=1)
        suggestion = f"did you mean {near[0]}? " if near else ""
        return Fault(
            (*path, name), f"{self.name} has no {_called((*path, name))}", suggestion + self._usage()
        )

    def _usage(self) -> str:
        return f"it is called as {usage(self.name, self.root)}"


def usage(name: str, parameters: Mapping[str, Any]) -> str:
    """The call in one line, what may be left out marked: ``read_file(path: string, lines?: integer)``."""
    required = required_names(parameters)
    parts = [
        f"{argument}{'' if argument in required else '?'}: {describe(property_schema(parameters, argument))}"
        for argument in property_names(parameters)
    ]
    return shorten(f"{name}({', '.join(parts)})", 300)


def _called(path: Path) -> str:
    return f"argument {shorten(format_path(path))}" if path else "the arguments"


def _is_extra(layer: Mapping[str, Any], name: str) -> bool:
    patterns = layer.get("patternProperties") or {}
    return name not in property_names(layer) and not any(re.search(pattern, name) for pattern in patterns)
