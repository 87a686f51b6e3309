"""From a function's type hints to JSON schemas, and to converters where JSON is not what a hint asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from app.errors import ConfigurationError, ToolFailed
from app.tools.context import ToolContext
from app.tools.references import inline_references
from app.tools.results import to_json_value

_MAX_DEFAULT_BYTES: Final = 65_536
_JSON_HINTS: Final = (Any, object, str, bool, float, NoneType, None, dict, list)
"""Hints that JSON meets as it is. ``int`` is not among them: JSON's 3.0 is an integer, Python's is not."""


@dataclass(frozen=True, slots=True)
class CallShape:
    """What a function may be called with and what it gives, as :class:`app.tools.base.Tool` holds it."""

    parameters: dict[str, Any]
    result: dict[str, Any] | None
    context_parameter: str | None
    converters: dict[str, TypeAdapter[Any]]
    extra_converter: TypeAdapter[Any] | None


class _Schemas(GenerateJsonSchema):
    """pydantic's schemas without a title on every field: the field's name says the same."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def call_shape(function: Callable[..., Any], label: str) -> CallShape:
    """The schemas of ``function``. ``label`` (``file:line: name``) begins each ``ConfigurationError``."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{label}: its parameters can't be seen", hint="wrap it in a function with named parameters"
        ) from None
    hints = _hints(function, label)
    context, named, extra = _sorted_parameters(signature, hints, label)
    adapters = {name: _adapter(hints.get(name, Any), f"{label}: parameter {name!r}") for name in named}
    extra_hint = hints.get(extra.name, Any) if extra else Any
    extra_adapter = _adapter(extra_hint, f"{label}: parameter '**{extra.name}'") if extra else None
    return CallShape(
        parameters=_object_schema(named, adapters, extra_adapter, label),
        result=_result_schema(hints, label),
        context_parameter=context,
        converters={name: adapter for name, adapter in adapters.items() if not is_json(hints.get(name, Any))},
        extra_converter=None if is_json(extra_hint) else extra_adapter,
    )


def is_json(hint: Any) -> bool:
    """Whether every JSON value that fits the hint's schema is already what the hint means."""
    if hint in _JSON_HINTS:
        return True
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return is_json(arguments[0]) and all(isinstance(item, FieldInfo | str) for item in arguments[1:])
    if origin is Literal:
        return all(isinstance(item, str | bool | None) for item in arguments)
    if origin in (Union, UnionType, list, dict):
        return all(is_json(item) for item in arguments)
    return False


def _hints(function: Callable[..., Any], label: str) -> dict[str, Any]:
    target = function if inspect.isroutine(function) else getattr(function, "func", function)
    try:
        try:
            return get_type_hints(target, include_extras=True)
        except NameError:
            # Linters move imports that only hints use below `if TYPE_CHECKING`; this one can be guessed.
            return get_type_hints(target, localns={"ToolContext": ToolContext}, include_extras=True)
    except TypeError:
        return {}
    except Exception as error:  # noqa: BLE001 - a hint is any expression of the author's
        raise ConfigurationError(
            f"{label}: a type hint can't be evaluated: {type(error).__name__}: {error}",
            hint="import the name at the top of the file, not in a function or below TYPE_CHECKING",
        ) from None


def _sorted_parameters(
    signature: inspect.Signature, hints: Mapping[str, Any], label: str
) -> tuple[str | None, dict[str, inspect.Parameter], inspect.Parameter | None]:
    """The context's name, the parameters of the schema, and ``**kwargs``."""
    contexts: list[str] = []
    named: dict[str, inspect.Parameter] = {}
    extra = None
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            _refuse(
                label, f"parameter {name!r} is positional-only", "a plan names every argument: remove the /"
            )
        if parameter.kind is parameter.VAR_POSITIONAL:
            _refuse(label, f"parameter '*{name}' has no name to call it by", "take a list instead")
        if _is_context(hints.get(name)):
            contexts.append(name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            extra = parameter
        else:
            named[name] = parameter
    if len(contexts) > 1:
        _refuse(label, f"parameters {' and '.join(contexts)} are both a ToolContext", "one is enough")
    return (contexts[0] if contexts else None), named, extra


def _is_context(hint: Any) -> bool:
    if get_origin(hint) in (Annotated, Union, UnionType):
        return any(_is_context(item) for item in get_args(hint))
    return hint is ToolContext


def _adapter(hint: Any, label: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint)
    except PydanticUserError as error:
        _refuse_hint(hint, label, error)


def _object_schema(
    named: Mapping[str, inspect.Parameter],
    adapters: Mapping[str, TypeAdapter[Any]],
    extra: TypeAdapter[Any] | None,
    label: str,
) -> dict[str, Any]:
    schemas, definitions = _parameter_schemas(adapters, extra, label)
    properties: dict[str, Any] = {}
    for name, parameter in named.items():
        properties[name] = schemas[name]
        if parameter.default is not parameter.empty:
            properties[name] = {**schemas[name], **_default(parameter, label)}
    document = {
        "type": "object",
        "properties": properties,
        "required": [name for name, parameter in named.items() if parameter.default is parameter.empty],
        "additionalProperties": False if extra is None else schemas["**"] or True,
    }
    return inline_references(document, definitions)


def _parameter_schemas(
    adapters: Mapping[str, TypeAdapter[Any]], extra: TypeAdapter[Any] | None, label: str
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Each parameter's schema (``**kwargs`` as ``**``), and the definitions they share."""
    everything = dict(adapters) if extra is None else {**adapters, "**": extra}
    try:
        schemas, shared = TypeAdapter.json_schemas(
            [(name, "validation", adapter) for name, adapter in everything.items()], schema_generator=_Schemas
        )
    except PydanticUserError:
        for name, adapter in everything.items():
            _schema(adapter, "validation", f"{label}: parameter {name!r}")
        raise
    return {name: dict(schema) for (name, _), schema in schemas.items()}, shared.get("$defs", {})


def _default(parameter: inspect.Parameter, label: str) -> dict[str, Any]:
    """``{"default": …}`` where JSON can hold the default; the function fills it in either way."""
    if isinstance(parameter.default, FieldInfo):
        _refuse(
            label,
            f"parameter {parameter.name!r} has a Field as its default",
            "write Annotated[type, Field(…)]",
        )
    try:
        return {"default": to_json_value(parameter.default, _MAX_DEFAULT_BYTES)}
    except ToolFailed:
        return {}


def _result_schema(hints: Mapping[str, Any], label: str) -> dict[str, Any] | None:
    """The schema of the annotated result; ``None`` where nothing is said or anything may come."""
    hint = hints.get("return", Any)
    if hint is Any or hint is object:
        return None
    schema = _schema(_adapter(hint, f"{label}: its result"), "serialization", f"{label}: its result")
    return inline_references(schema, schema.pop("$defs", {}))


def _schema(
    adapter: TypeAdapter[Any], mode: Literal["validation", "serialization"], label: str
) -> dict[str, Any]:
    try:
        return adapter.json_schema(mode=mode, schema_generator=_Schemas)
    except PydanticUserError as error:
        _refuse_hint(adapter._type, label, error)


def _refuse_hint(hint: Any, label: str, error: PydanticUserError) -> NoReturn:
    shown = getattr(hint, "__name__", None) or str(hint)
    if error.code == "typed-dict-version":
        _refuse(
            label,
            f"{shown} is a typing.TypedDict",
            "import TypedDict from typing_extensions before Python 3.12",
        )
    _refuse(label, f"the hint {shown} has no JSON schema", "use JSON's types, dataclasses or pydantic models")


def _refuse(label: str, problem: str, hint: str) -> NoReturn:
    raise ConfigurationError(f"{label}: {problem}", hint=hint)
