"""``/`` and what it needs: the index under every address of the viewer, and its files.

The files' URLs name their version, so that a browser asks for each once and a new server's are new.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import NotFound

from app.api.guard import PAGES
from app.api.problems import Problem
from app.web import files
from app.web.sessions import sessions

_SCREENS: Final = ("new", "compare", "waiting", "namespaces", "tools", "keys")
_NOT_OURS: Final = ("api", "git", "static")
"""First parts of paths whose reader wants no page, also where there is nothing."""
_FOR_GOOD: Final = "public, max-age=31536000, immutable"

pages = Blueprint(PAGES, __name__)


def register(app: Flask) -> None:
    """Serve the viewer beside the API."""
    app.register_blueprint(pages)
    app.register_blueprint(sessions)
    app.after_request(_page_of_the_lost)


@pages.get("/")
@pages.get("/tasks/<path:rest>")
@pages.get("/tools/<path:rest>")
def index(rest: str = "") -> Response:
    """The page: the same for everybody, it asks the API on behalf of who is signed in."""
    return _page(200)


def _page_of_the_lost(response: Response) -> Response:
    """A browser at an address that is none gets the page, which says so and leads on; others keep their problem."""
    # Also where the guard had asked for a key first: the page is the same for everybody.
    is_nowhere = isinstance(request.routing_exception, NotFound) and response.status_code in (401, 404)
    accepted = request.accept_mimetypes
    wants_page = accepted["text/html"] > accepted["application/json"]  # what takes all has both alike
    if is_nowhere and wants_page and request.method == "GET" and request.path.split("/")[1] not in _NOT_OURS:
        return _page(404)
    return response


def _page(status: int) -> Response:
    page = files.page(files.version(), files.screen_of(request.path))
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Content-Security-Policy": files.policy(page.script_hashes, nonce),
        "Cache-Control": "no-store",  # the nonce is for one answer
    }
    return Response(
        page.html.replace(b"{{nonce}}", nonce.encode()),
        status,
        content_type="text/html; charset=utf-8",
        headers=headers,
    )


for _screen in _SCREENS:
    pages.add_url_rule(f"/{_screen}", f"index_{_screen}", index, methods=["GET"])


@pages.get("/static/<version>/<path:name>")
def file(version: str, name: str) -> Any:
    """One file. Under another version than ours it is not to be kept."""
    found = files.find(name)
    if found is None:
        raise Problem(404, "not-found", f"the viewer has no file {name!r}")
    content, content_type = found
    response = Response(content, content_type=content_type)
    response.headers["Cache-Control"] = _FOR_GOOD if version == files.version() else "no-cache"
    response.add_etag()
    return response.make_conditional(request)


@pages.get("/favicon.ico")
def icon() -> Any:
    """What browsers ask for where a page is none of ours."""
    return file("", "icon.svg")
