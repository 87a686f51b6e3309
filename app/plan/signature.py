"""What the checker knows of a tool: plain data, so that the plan room needs no tool room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ToolSignature:
    """``parameters`` is a JSON schema of type object; ``result`` one of the result, or ``None`` (unknown)."""

    name: str
    parameters: Mapping[str, Any]
    result: Mapping[str, Any] | None = None
    aliases: tuple[str, ...] = field(default=())


class ToolCatalog(Protocol):
    """The tools a plan may be checked against."""

    def signature(self, name: str) -> ToolSignature | None:
        """The tool of that name or alias, whether allowed or not."""

    def allowed(self, name: str) -> bool:
        """Whether the namespace allows the tool of that name or alias."""

    def names(self) -> list[str]:
        """Every allowed name and alias, for suggestions."""
