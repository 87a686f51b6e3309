"""``/api/docs``: the OpenAPI document to look at and try, without anything from elsewhere.

The page is three files of ours, the same for everybody; it asks for the document with the key that is typed in.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response

from app.api.problems import Problem

_TYPES: Final = {
    "docs.html": "text/html; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
}
PATH: Final = "/api/docs"

docs = APIBlueprint("docs", __name__, url_prefix=PATH, enable_openapi=False)


@docs.get("")
def page() -> Any:
    """The page itself."""
    return _file("docs.html")


@docs.get("/<name>")
def part(name: str) -> Any:
    """What the page needs."""
    if name not in _TYPES:
        raise Problem(404, "not-found", "the page has no such part")
    return _file(name)


def _file(name: str) -> Response:
    content = files("app.api").joinpath("static", name).read_bytes()
    return Response(content, content_type=_TYPES[name], headers={"Cache-Control": "no-cache"})
