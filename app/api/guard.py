"""Who may ask: keys, the loopback without keys, and hosts that are not ours."""

from __future__ import annotations

import ipaddress
import time
from typing import Final

from flask import Flask, Response, g, request

from app.api.problems import Problem
from app.api.state import server
from app.services.access import LOCAL, Actor
from app.services.keys import find_actor

_OPEN_PATHS: Final = (
    "/healthz",
    "/readyz",
    "/api/docs",
    *(f"/api/docs/docs.{kind}" for kind in ("css", "js")),
)
"""What anybody may have: probes, and a page that says nothing of this server; it asks with a key of its reader."""
PAGES: Final = "web"
"""The blueprint of the viewer's pages: files that are the same for everybody."""
SESSIONS: Final = "session"
"""The blueprint that signs in and out; it says itself who asks."""
_LOOKING: Final = ("GET", "HEAD", "OPTIONS")
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]", "::1")
_BEARER: Final = "Bearer "
_SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}


def register(app: Flask) -> None:
    """Have every request pass here first."""

    @app.before_request
    def authenticate() -> None:
        is_open = request.path in _OPEN_PATHS or request.blueprint in (PAGES, SESSIONS)
        if not is_open and request.method != "OPTIONS":
            g.actor = authenticate_request()

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in _SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def authenticate_request() -> Actor:
    """Who asks: by the key in a header, else by that in the cookie of a session. Raises ``Problem``."""
    given = _given_key()
    if given is not None:
        return require_key(given)
    parts = server()
    signed_in = request.cookies.get(cookie_name())
    if signed_in is not None:
        actor = find_actor(parts.workplace.keys, signed_in, _now_ms(), _admin_key())
        if actor is not None:
            if request.method not in _LOOKING:
                refuse_other_pages()  # a browser sends the cookie whoever's page asks
            return actor
    if _admin_key() or parts.workplace.keys.any_valid(_now_ms()):
        raise _unauthorized("an API key is needed")
    return _local_actor()


def require_key(given: str) -> Actor:
    """Whose key that is. Raises ``Problem`` for one that is not valid."""
    actor = find_actor(server().workplace.keys, given, _now_ms(), _admin_key())
    if actor is None:
        raise _unauthorized("the API key is not valid")
    return actor


def _admin_key() -> str:
    return server().settings.admin_api_key.get_secret_value()


def cookie_name() -> str:
    """The session's cookie: a name for each port, since all servers of one machine share its cookies."""
    port = request.host.rpartition(":")[2]
    return f"stackvm_session_{port}" if port.isdigit() else "stackvm_session"


def refuse_other_pages() -> None:
    """Raise ``Problem`` unless a browser says, in a way no other page can, that a page of this server asks."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        is_own = site == "same-origin"
    elif (origin := request.headers.get("Origin")) is not None:
        is_own = origin in (f"http://{request.host}", f"https://{request.host}")
    else:
        is_own = "X-StackVM" in request.headers  # a browser that says neither lets only our own pages send it
    if not is_own:
        raise Problem(
            403,
            "forbidden",
            "a session's cookie is for pages of this server alone",
            "send the key as Authorization: Bearer KEY",
        )


def _local_actor() -> Actor:
    """Without keys: whoever is on this machine, and means this machine."""
    if not is_loopback(request.remote_addr or ""):
        raise _unauthorized("this server has no API keys, and answers its own machine alone")
    # A page of somebody else's, whose name was made to point here, would send its own name.
    if (
        request.host.rsplit(":", 1)[0].lower() not in _LOCAL_HOSTS
        and request.host.lower() not in _LOCAL_HOSTS
    ):
        raise Problem(421, "wrong-host", f"this server is not {request.host!r}", "ask localhost or 127.0.0.1")
    if request.method not in _LOOKING and not _is_own_page(request.headers.get("Origin")):
        raise Problem(
            403, "forbidden", "a page of another origin asks", "BACKEND_CORS_ORIGINS names those that may"
        )
    return LOCAL


def _is_own_page(origin: str | None) -> bool:
    """Whether a browser says that a page of this server asks, or of an origin that may; what is none says nothing."""
    if origin is None:
        return True
    allowed = server().settings.backend_cors_origins.split(",")
    return origin in (
        f"http://{request.host}",
        f"https://{request.host}",
        *(each.strip() for each in allowed if each),
    )


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine; a Unix socket has none."""
    try:
        return not address or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _given_key() -> str | None:
    header = request.headers.get("Authorization", "")
    if header.startswith(_BEARER):
        return header.removeprefix(_BEARER).strip()
    authorization = request.authorization
    if authorization is not None and authorization.type == "basic":
        return authorization.password or ""  # as git and curl -u send it: the key is the password
    return None


def _unauthorized(message: str) -> Problem:
    error = Problem(401, "unauthorized", message, "Authorization: Bearer KEY; `stackvm key create` makes one")
    error.headers["WWW-Authenticate"] = 'Bearer realm="stackvm", Basic realm="stackvm"'
    return error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
