"""API keys: made, shown once, found again by what a client sends."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from app.db.serving import KeyRow, KeyTable
from app.errors import InputError, InvalidName, NotFound
from app.history.visible import trouble_with_characters
from app.services.access import ROLES, Actor, Role
from app.services.workplace import Workplace

_PREFIX: Final = "svm"
_KEY: Final = re.compile(rf"{_PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_DAY_MS: Final = 86_400_000
ADMIN: Final = Actor("ADMIN_API_KEY", "admin")


@dataclass(frozen=True, slots=True)
class NewKey:
    """``secret`` is the whole key, which nobody will see again."""

    row: KeyRow
    secret: str


def create_key(
    workplace: Workplace,
    name: str,
    role: str,
    namespace: str | None = None,
    days: int | None = None,
) -> NewKey:
    """Make a key. Raises ``InputError`` (name, role), ``NotFound`` (namespace), ``Forbidden``."""
    workplace.actor.require("admin")
    if role not in ROLES:
        raise InputError(f"there is no role {role!r}", hint="one of " + ", ".join(ROLES))
    if not name.strip() or len(name) > 100:
        raise InputError("a key needs a name of 1 to 100 characters", hint="say who or what will use it")
    if trouble := trouble_with_characters(name):
        raise InvalidName(f"{name!r} can't be the name of a key: it {trouble}")
    if namespace is not None:
        workplace.namespaces.get(namespace)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    now = workplace.clock_ms()
    expires = None if days is None else now + days * _DAY_MS
    row = KeyRow(key_id, name, _hash(secret), role, namespace, now, expires, None)
    workplace.keys.add(row)
    return NewKey(row, f"{_PREFIX}_{key_id}_{secret}")


def list_keys(workplace: Workplace) -> Sequence[KeyRow]:
    """All keys, revoked ones too. Raises ``Forbidden``."""
    workplace.actor.require("admin")
    return workplace.keys.list()


def revoke_key(workplace: Workplace, key_id: str) -> KeyRow:
    """End a key. Raises ``NotFound``, ``Forbidden``."""
    workplace.actor.require("admin")
    workplace.keys.revoke(key_id, workplace.clock_ms())
    return workplace.keys.get(key_id)


def key_document(row: KeyRow) -> dict[str, Any]:
    """A key as JSON, without anything secret."""
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "namespace": row.namespace,
        "created_ms": row.created_ms,
        "expires_ms": row.expires_ms,
        "revoked_ms": row.revoked_ms,
    }


def find_actor(keys: KeyTable, given: str, now_ms: int, admin_key: str = "") -> Actor | None:
    """Who sent ``given``; ``None`` for what is no valid key. Takes as long whatever is wrong with it."""
    if admin_key and hmac.compare_digest(given.encode(), admin_key.encode()):
        return ADMIN
    match = _KEY.fullmatch(given)
    key_id, secret = match.groups() if match is not None else ("", "")
    try:
        row = keys.get(key_id)
    except NotFound:
        row = KeyRow(key_id, "", _hash(""), "viewer", None, 0, None, 0)
    is_right = hmac.compare_digest(row.secret_hash, _hash(secret))
    is_over = row.revoked_ms is not None or (row.expires_ms is not None and row.expires_ms <= now_ms)
    if not is_right or is_over or match is None:
        return None
    role: Role = next(each for each in ROLES if each == row.role)
    return Actor(row.name, role, row.namespace)


def _hash(secret: str) -> str:
    # No slow hash: a secret of 256 random bits is not guessed, and every request pays.
    return sha256(secret.encode()).hexdigest()
