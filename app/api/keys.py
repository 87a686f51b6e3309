"""``/api/keys``: for admins."""

from __future__ import annotations

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from app.api.descriptions import problems
from app.api.state import place
from app.api.task_models import In
from app.services.keys import create_key, key_document, list_keys, revoke_key

keys = APIBlueprint("keys", __name__, url_prefix="/api/keys", tag="keys")


class KeyIn(In):
    """Whose key, and what it may do."""

    name: str = Field(min_length=1, max_length=100, description="who or what will use it")
    role: Literal["viewer", "operator", "admin"]
    namespace: str | None = Field(None, max_length=240, description="the only one it is for; default: all")
    days: int | None = Field(
        None, ge=1, le=36_500, description="how long it is valid; default: until it is revoked"
    )


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    role: str
    namespace: str | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None


class NewKeyOut(KeyOut):
    """A new key: `key` is shown this once."""

    key: str


class KeysOut(BaseModel):
    """All keys, oldest first."""

    items: list[KeyOut]


@keys.get("")
@keys.output(KeysOut)
@keys.doc(summary="List the keys", operation_id="list_keys", responses=problems())
def many() -> Any:
    """Revoked ones too."""
    return {"items": [key_document(row) for row in list_keys(place())]}


@keys.post("")
@keys.input(KeyIn, location="json")
@keys.output(NewKeyOut, status_code=201)
@keys.doc(summary="Make a key", operation_id="create_key", responses=problems(404, 422))
def create(json_data: KeyIn) -> Any:
    """It is shown once; what is kept is a hash."""
    made = create_key(place(), json_data.name, json_data.role, json_data.namespace, json_data.days)
    return {**key_document(made.row), "key": made.secret}


@keys.delete("/<key_id>")
@keys.output(KeyOut)
@keys.doc(summary="Revoke a key", operation_id="revoke_key", responses=problems(404))
def revoke(key_id: str) -> Any:
    """From now on it is not valid."""
    return key_document(revoke_key(place(), key_id))
