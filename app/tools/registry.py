"""The tools an installation has, by name and alias, and the part of them that a namespace allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from app.errors import ConfigurationError, NotFound, StepError
from app.plan.signature import ToolSignature
from app.tools.autoflow import NO_AUTOFLOW, AutoFlow, autoflow_tools
from app.tools.base import Tool
from app.tools.files import file_tools
from app.tools.llm import llm_tools


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What the built-in tools are made for: the folder ``TOOLS_ROOT``, and a knowledge base."""

    root: Path
    autoflow: AutoFlow = NO_AUTOFLOW


TOOLSETS: Final[Mapping[str, Callable[[ToolSettings], list[Tool]]]] = {
    "files": lambda settings: file_tools(settings.root),
    "llm": lambda settings: llm_tools(),
    "autoflow": lambda settings: autoflow_tools(settings.autoflow),
}
"""The built-in toolsets, each by what makes it."""

_SUGGESTIONS: Final = 3


class Registry:
    """All tools of an installation. Names and aliases are one space: none stands for two tools."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._by_name: dict[str, Tool] = {}

    def add(self, tool: Tool) -> None:
        """Take ``tool`` in. Raises ``ConfigurationError``, naming both places, where a name is taken."""
        for name in tool.names:
            other = self._by_name.get(name)
            if other is not None:
                places = f"{other.name} at {other.place} and {tool.name} at {tool.place}"
                raise ConfigurationError(
                    f"two tools are called {name!r}: {places}", hint="give one of them another name= or alias"
                )
        self._tools[tool.name] = tool
        self._by_name.update(dict.fromkeys(tool.names, tool))

    def get(self, name: str) -> Tool:
        """The tool of that name or alias. Raises ``NotFound`` with the nearest names."""
        tool = self._by_name.get(name)
        if tool is None:
            raise NotFound("tool", name, hint=_nearest(name, list(self._by_name)))
        return tool

    def list(self) -> Sequence[Tool]:
        """Every tool, by name."""
        return sorted(self._tools.values(), key=lambda tool: tool.name)

    def signature(self, name: str) -> ToolSignature | None:
        """What the checker knows of the tool of that name or alias; ``None`` where there is none."""
        tool = self._by_name.get(name)
        return None if tool is None else tool.signature

    def catalog(self, allowed: Sequence[str] | None = None) -> Catalog:
        """The registry as a namespace sees it: ``allowed`` are names or globs, ``None`` allows all."""
        return Catalog(self, allowed)


class Catalog:
    """A registry behind the list of what a namespace allows (:class:`app.plan.signature.ToolCatalog`).

    A tool is allowed when an entry of the list is, or as a glob matches, its name or one of its aliases;
    it may then be called by any of them. Case matters.
    """

    def __init__(self, registry: Registry, allowed: Sequence[str] | None) -> None:
        self._registry = registry
        self._allowed = {
            name: tool
            for tool in registry.list()
            if allowed is None or _matches(tool, allowed)
            for name in tool.names
        }

    def signature(self, name: str) -> ToolSignature | None:
        """The tool of that name or alias, whether allowed or not."""
        return self._registry.signature(name)

    def allowed(self, name: str) -> bool:
        """Whether the namespace allows the tool of that name or alias."""
        return name in self._allowed

    def names(self) -> list[str]:
        """Every allowed name and alias, sorted."""
        return sorted(self._allowed)

    def list(self) -> Sequence[Tool]:
        """Every allowed tool, by name."""
        return [tool for tool in self._registry.list() if tool.name in self._allowed]

    def find(self, name: str) -> Tool:
        """The allowed tool of that name or alias. Raises ``StepError`` for any other, saying why."""
        tool = self._allowed.get(name)
        if tool is not None:
            return tool
        if self._registry.signature(name) is not None:
            raise StepError(
                f"tool {name!r} is not allowed in the namespace", hint=_nearest(name, self.names())
            )
        raise StepError(f"no tool {name!r}", hint=_nearest(name, self.names()))


def _matches(tool: Tool, allowed: Sequence[str]) -> bool:
    return any(fnmatchcase(name, entry) for name in tool.names for entry in allowed)


def _nearest(name: str, known: Sequence[str]) -> str | None:
    near = get_close_matches(name, known, _SUGGESTIONS)
    if near:
        return f"nearest: {', '.join(near)}"
    return None if known else "there are no tools"
