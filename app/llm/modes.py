"""Which structured output a server is known to have, so that what it lacks is asked for once only."""

from __future__ import annotations

import threading
from typing import Final

from app.llm.base import Structured

_ORDER: Final[tuple[Structured, ...]] = ("json_schema", "json_object", "text")


class ModeMemory:
    """The best mode that worked where a better one was refused, by server and model. Safe between threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Structured] = {}
        self._lock = threading.Lock()

    def best(self, server: str, model: str) -> Structured:
        """The mode to begin with."""
        with self._lock:
            return self._known.get((server, model), _ORDER[0])

    def remember(self, server: str, model: str, mode: Structured) -> None:
        """Only after it worked: a server that fails at everything has taught nothing about its modes."""
        with self._lock:
            self._known[server, model] = mode


PROCESS_MODES: Final = ModeMemory()
"""What this process has learnt; a server that gained a mode is asked again by the next process."""


def next_mode(mode: Structured) -> Structured | None:
    """What to try where the server lacks ``mode``."""
    place = _ORDER.index(mode) + 1
    return _ORDER[place] if place < len(_ORDER) else None
