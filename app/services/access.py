"""Who acts, and what they may do. Services that change something ask; a task that may not be seen is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from app.errors import Forbidden

Role: TypeAlias = Literal["viewer", "operator", "admin"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "operator", "admin")
"""Each may do what those before it may: look; submit, steer and revise; administer namespaces, keys and the store."""


@dataclass(frozen=True, slots=True)
class Actor:
    """``namespace``: the only one whose tasks the actor sees; ``None``: all."""

    name: str
    role: Role = "admin"
    namespace: str | None = None

    def require(self, role: Role) -> None:
        """Raise ``Forbidden`` where the actor may not do what takes ``role``."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise Forbidden(f"this takes the role {role}; {self.name} has {self.role}")

    def sees(self, namespace: str | None) -> bool:
        """Whether tasks of that namespace are there for the actor."""
        return self.namespace is None or namespace == self.namespace


LOCAL: Final = Actor("local")
"""Whoever has the machine: the command line."""
