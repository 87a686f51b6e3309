"""Arguments against a tool's schema, and from JSON to what the function's hints ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pydantic import ValidationError as ConversionError
from referencing import Registry

from app.errors import ArgumentsInvalid
from app.plan.model import Json
from app.tools.accept import Predicate, accepter
from app.tools.base import Tool
from app.tools.results import copy_json

Mask: TypeAlias = Callable[[str], str]
"""Takes out of a text what nobody must see."""

_MAX_PROBLEMS: Final = 3
_MAX_SHOWN: Final = 60


class _Checks:
    """What was compiled of one tool's schema. jsonschema's part is made when it is first needed."""

    __slots__ = ("accept", "schema", "validator")

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self.accept: Predicate = accepter(schema) or (lambda value: False)
        self.validator: Draft202012Validator | None = None

    def errors(self, arguments: Mapping[str, Json]) -> list[ValidationError]:
        if self.validator is None:
            self.validator = Draft202012Validator(self.schema, registry=_NO_FETCHING)
        return list(self.validator.iter_errors(arguments))


_NO_FETCHING: Final[Registry[Any]] = Registry()
"""A `$ref` to elsewhere is an error of the schema, never a request over the network."""

_checks: WeakKeyDictionary[Tool, _Checks] = WeakKeyDictionary()


def validate_arguments(tool: Tool, arguments: Mapping[str, Json], mask: Mask = str) -> None:
    """Raise ``ArgumentsInvalid`` where ``arguments`` don't fit the tool's schema.

    The message names each argument that is wrong (three at most), what was expected and what was given, which
    passes through ``mask`` before it is shortened: half a secret is one, too.
    """
    checks = _checks.get(tool)
    if checks is None:
        checks = _checks[tool] = _Checks(tool.parameters)
    if checks.accept(arguments):
        return
    errors = checks.errors(arguments)
    if errors:
        problems = list(
            dict.fromkeys(line for error in _ordered(errors) for line in _lines(tool, arguments, error, mask))
        )
        more = len(problems) - _MAX_PROBLEMS
        text = "; ".join(problems[:_MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise ArgumentsInvalid(f"{tool.name}: {text}", hint=_parameters_hint(tool))


def bind_arguments(tool: Tool, arguments: Mapping[str, Json], mask: Mask = str) -> dict[str, Any]:
    """The keyword arguments of the function: validated, copied, converted where a hint needs it.

    The copy keeps a tool that changes its arguments from changing the run's variables. Raises
    ``ArgumentsInvalid``, also for what only the conversion finds (a date that is none); see
    :func:`validate_arguments` for ``mask``.
    """
    validate_arguments(tool, arguments, mask)
    converters, extra = tool.converters, tool.extra_converter
    bound: dict[str, Any] = {}
    for name, value in arguments.items():
        if type(value) is dict or type(value) is list:
            value = copy_json(value)
        converter = converters.get(name)
        if converter is None and extra is not None and name not in tool.parameters["properties"]:
            converter = extra
        if converter is not None:
            try:
                value = converter.validate_python(value)
            except ConversionError as error:
                raise ArgumentsInvalid(
                    f"{tool.name}: {_conversion_problem(name, error, mask)}", hint=_parameters_hint(tool)
                ) from None
        bound[name] = value
    return bound


def _ordered(errors: list[ValidationError]) -> list[ValidationError]:
    """Missing and unknown arguments first, then by place: the same order every time."""
    return sorted(errors, key=lambda error: (len(error.absolute_path), error.json_path, error.message))


def _lines(tool: Tool, arguments: Mapping[str, Json], error: ValidationError, mask: Mask) -> Iterator[str]:
    if error.validator == "required" and not error.absolute_path:
        properties = tool.parameters["properties"]
        for name in tool.parameters["required"]:
            if name not in arguments:
                yield f"argument {name!r} is missing, expected {_expected(properties[name])}"
    elif error.validator == "additionalProperties" and not error.absolute_path:
        known = list(tool.parameters["properties"])
        for name in arguments:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                yield f"unknown argument {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
    else:
        yield _value_problem(error, mask)


def _value_problem(error: ValidationError, mask: Mask) -> str:
    if error.context:
        # Of the branches of an `anyOf` the one that got furthest into the value says most.
        deepest = max(error.context, key=lambda inner: len(inner.absolute_path))
        if len(deepest.absolute_path) > len(error.absolute_path):
            return _value_problem(deepest, mask)
    place = _place(list(error.absolute_path))
    if error.validator in ("type", "enum", "const", "anyOf", "oneOf"):
        return f"{place}: expected {_expected(error.schema)}, got {_shown(error.instance, mask)}"
    return f"{place}: {_clipped(mask(error.message))}"


def _place(path: list[str | int]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:])
    return f"argument '{path[0]}{steps}'" if path else "the arguments"


def _expected(schema: Any) -> str:
    """A schema in a few words: ``integer``, ``one of "a", "b"``, ``string or null``."""
    if not isinstance(schema, Mapping):
        return "any value"
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(choice, ensure_ascii=False) for choice in schema["enum"])
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return " or ".join(dict.fromkeys(map(_expected, branches)))
    if schema.get("type") == "array" and isinstance(schema.get("items"), Mapping) and schema["items"]:
        return f"array of {_expected(schema['items'])}"
    return str(schema.get("type") or schema.get("title") or "any value")


def _shown(value: Json, mask: Mask) -> str:
    return _clipped(mask(json.dumps(value, ensure_ascii=False)))


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN * 2 else text[:_MAX_SHOWN] + "…"


def _conversion_problem(name: str, error: ConversionError, mask: Mask) -> str:
    first = error.errors(include_url=False)[0]
    said, given = mask(first["msg"]), _clipped(mask(repr(first["input"])))
    return f"{_place([name, *first['loc']])}: {said}, got {given}"


@lru_cache(maxsize=256)
def _parameters_hint(tool: Tool) -> str:
    required = set(tool.parameters["required"])
    names = [name if name in required else f"{name}?" for name in tool.parameters["properties"]]
    return f"it takes {', '.join(names)}" if names else "it takes no arguments"
