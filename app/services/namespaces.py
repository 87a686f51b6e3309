"""Namespaces: which tools a task may call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.db.base import NamespaceRow
from app.errors import InputError, NotFound
from app.services.workplace import Workplace

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")


def create_namespace(
    workplace: Workplace,
    name: str,
    allowed_tools: Sequence[str],
    description: str = "",
    policies: Mapping[str, Any] | None = None,
) -> NamespaceRow:
    """A new namespace. Raises ``InputError`` for its name, ``Conflict`` where it is taken."""
    workplace.actor.require("admin")
    if not _NAME.match(name):
        raise InputError(
            f"{name!r} can't be the name of a namespace", hint="letters, digits, '_', '.', '-', at most 100"
        )
    now = workplace.clock_ms()
    row = NamespaceRow(name, tuple(allowed_tools), description, policies or {}, now, now)
    workplace.namespaces.create(row)
    return row


def update_namespace(
    workplace: Workplace,
    name: str,
    allowed_tools: Sequence[str] | None = None,
    description: str | None = None,
    policies: Mapping[str, Any] | None = None,
) -> NamespaceRow:
    """Replace what is given, keep the rest; of ``policies`` those that are not named. Raises ``NotFound``."""
    workplace.actor.require("admin")
    old = workplace.namespaces.get(name)
    row = NamespaceRow(
        name,
        old.allowed_tools if allowed_tools is None else tuple(allowed_tools),
        old.description if description is None else description,
        {**old.policies, **(policies or {})},
        old.created_ms,
        workplace.clock_ms(),
    )
    workplace.namespaces.update(row)
    return row


def delete_namespace(workplace: Workplace, name: str) -> None:
    """Remove one. Its tasks stay, and can't be run. Raises ``NotFound``, ``Forbidden``."""
    workplace.actor.require("admin")
    workplace.namespaces.delete(name)


def list_namespaces(workplace: Workplace) -> list[NamespaceRow]:
    """Those that the actor sees, by name."""
    return [row for row in workplace.namespaces.list() if workplace.actor.sees(row.name)]


def get_namespace(workplace: Workplace, name: str) -> NamespaceRow:
    """One that the actor sees. Raises ``NotFound``."""
    if not workplace.actor.sees(name):
        raise NotFound("namespace", name)
    return workplace.namespaces.get(name)


def unmatched_tools(workplace: Workplace, row: NamespaceRow) -> list[str]:
    """Entries of the list that stand for no tool there is: worth a word, no error."""
    registry = workplace.load_registry()
    return [entry for entry in row.allowed_tools if not registry.catalog([entry]).names()]


def allowed_tools(workplace: Workplace, row: NamespaceRow) -> list[str]:
    """The names of the tools here that the namespace allows."""
    return [tool.name for tool in workplace.load_registry().catalog(row.allowed_tools).list()]


def namespace_document(row: NamespaceRow) -> dict[str, Any]:
    """A namespace as JSON."""
    return {
        "namespace": row.name,
        "allowed_tools": list(row.allowed_tools),
        "description": row.description,
        "policies": dict(row.policies),
        "created_ms": row.created_ms,
        "updated_ms": row.updated_ms,
    }
