"""What the OpenAPI document says of the whole: who may ask, and what every operation with a body may answer."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIFlask

from app.api.descriptions import problems

SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key (`stackvm key create`)"},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "an API key as the password, as git sends it",
    },
}
OPEN_PATHS: Final = ("/healthz", "/readyz")
"""What asks for no key."""
_METHODS: Final = ("get", "put", "post", "patch", "delete")


def register(app: APIFlask) -> None:
    """Have the document completed when it is first asked for."""
    app.security_schemes = SCHEMES
    app.spec_processor(complete)  # type: ignore[arg-type]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Keys everywhere but for the probes; a body may be too large or of another kind wherever there is one."""
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
    return document
