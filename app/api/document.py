"""What the OpenAPI document says of the whole: who may ask, and what every operation with a body may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from apiflask import APIFlask

from app.api.descriptions import PROBLEM_SCHEMA, problems

SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key (`stackvm key create`)"},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "an API key as the password, as git sends it",
    },
}
OPEN_PATHS: Final = ("/healthz", "/readyz", "/api/session")
"""What asks for no key, and where one is shown to begin a session."""
_REF: Final = "#/components/schemas/"
_METHODS: Final = ("get", "put", "post", "patch", "delete")


def register(app: APIFlask) -> None:
    """Have the document completed when it is first asked for."""
    app.security_schemes = SCHEMES
    app.spec_processor(complete)  # type: ignore[arg-type]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Keys everywhere but for the probes; a body may be too large or of another kind wherever there is one."""
    document["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    document["components"]["schemas"].pop("ValidationError", None)
    document["tags"] = list(
        {tag["name"]: tag for tag in document["tags"]}.values()
    )  # two blueprints may share one
    too_large = {str(status): told for status, told in problems(413, 415).items() if status in (413, 415)}
    keys: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    for path, methods in document["paths"].items():
        for method in _METHODS:
            operation = methods.get(method)
            if operation is None:
                continue
            operation["security"] = [] if path in OPEN_PATHS else keys
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
                operation["responses"] = {**too_large, **operation["responses"]}
            if "422" in operation["responses"]:  # whatever was wrong is told alike
                operation["responses"]["422"] = problems(422)[422]
    return _with_plain_names(document)


def _with_plain_names(document: dict[str, Any]) -> dict[str, Any]:
    """Schemas by the names of their models. A model within a model comes as ``Outer.Inner``, once for each that has
    it, and those who generate clients make classes of titles: two of one name would be none."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    names = {name: name.rpartition(".")[2] for name in schemas}
    renamed: dict[str, Any] = _renamed(document, {_REF + old: _REF + new for old, new in names.items()})
    plain: dict[str, Any] = {}
    for name, schema in renamed["components"]["schemas"].items():
        if plain.setdefault(names[name], schema) != schema:
            raise ValueError(f"two models are called {names[name]}: the document can't tell them apart")
    renamed["components"]["schemas"] = plain
    return renamed


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {
            key: names.get(value, value)
            if key == "$ref" and isinstance(value, str)
            else _renamed(value, names)
            for key, value in part.items()
        }
    return [_renamed(each, names) for each in part] if isinstance(part, list) else part
