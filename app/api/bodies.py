"""What a request's body has to be: JSON that says so, and an object.

A page of somebody else's can have a browser send text to this machine unasked, and not JSON: that takes the
leave of CORS. So what does not say that it is JSON is not read as JSON.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, request

from app.api.problems import Problem

_WITH_BODY: Final = ("POST", "PUT", "PATCH")
_PREFIX: Final = "/api/"


def register(app: Flask) -> None:
    """To be registered behind the guard: a body is read only of whom may ask."""

    @app.before_request
    def look_at_body() -> None:
        if request.method not in _WITH_BODY or not request.path.startswith(_PREFIX) or not request.endpoint:
            return
        body = request.get_data(cache=True)  # refused here where it is too large
        if not body:
            return
        if not request.is_json:
            raise Problem(
                415,
                "unsupported-media-type",
                "the body does not say that it is JSON",
                "Content-Type: application/json",
            )
        if body.strip() == b"null":
            raise Problem(
                422, "invalid-input", "the body is null", "send an object; {} where nothing is to be said"
            )
