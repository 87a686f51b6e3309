"""``/api/session``: sign in with an API key, which a browser then sends as a cookie that no script can read.

The cookie holds the key itself: whoever sends it is the same actor as with the header, and a key that is revoked or
over ends the session at once, in every process, without a table or a secret of the server's own. It ends with the
browser, and is ``Secure`` where the page came by TLS. What changes something by cookie has to come from a page of
this server; ``app.api.guard`` sees to that.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, request
from pydantic import BaseModel, Field

from app.api import guard
from app.api.descriptions import problems
from app.api.etags import answer
from app.api.problems import Problem
from app.api.task_models import In
from app.services.access import LOCAL, Actor

sessions = APIBlueprint(guard.SESSIONS, __name__, url_prefix="/api/session", tag="session")


class SignIn(In):
    """The key to sign in with."""

    key: str = Field(min_length=1, max_length=1_000)


class SessionOut(BaseModel):
    """Who asks. `name`, `role` and `namespace` are null for who is not signed in."""

    signed_in: bool
    keys_needed: bool = Field(description="false: this server has no keys, and answers its own machine")
    name: str | None
    role: str | None
    namespace: str | None = Field(description="the only one whose tasks are seen; null: all")


@sessions.get("")
@sessions.output(SessionOut)
@sessions.doc(summary="Who is signed in", operation_id="get_session", responses=problems())
def who() -> Any:
    """By the cookie or the header, as any other request."""
    try:
        actor = guard.authenticate_request()
    except Problem as refused:
        if refused.status != 401:
            raise
        return answer(_document(None))
    return answer(_document(actor))


@sessions.post("")
@sessions.input(SignIn, location="json")
@sessions.output(SessionOut)
@sessions.doc(summary="Sign in with an API key", operation_id="sign_in", responses=problems(422))
def sign_in(json_data: SignIn) -> Any:
    """Sets the session's cookie: HttpOnly, SameSite=Strict."""
    guard.refuse_other_pages()
    g.actor = guard.require_key(json_data.key.strip())
    response: Response = answer(_document(g.actor))
    response.set_cookie(
        guard.cookie_name(),
        json_data.key.strip(),
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
        path="/",
    )
    return response


@sessions.delete("")
@sessions.output({}, status_code=204)
@sessions.doc(summary="Sign out", operation_id="sign_out", responses=problems())
def sign_out() -> Any:
    """Takes the cookie away. The key stays what it is."""
    guard.refuse_other_pages()
    response = Response(status=204)
    response.delete_cookie(
        guard.cookie_name(), httponly=True, samesite="Strict", secure=request.is_secure, path="/"
    )
    return response


def _document(actor: Actor | None) -> dict[str, Any]:
    if actor is None:
        return {"signed_in": False, "keys_needed": True, "name": None, "role": None, "namespace": None}
    return {
        "signed_in": True,
        "keys_needed": actor is not LOCAL,
        "name": actor.name,
        "role": actor.role,
        "namespace": actor.namespace,
    }
