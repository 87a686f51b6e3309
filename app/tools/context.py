"""What a running tool is told, and the words it has for the machine: stopped, and not performed."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[str, float | None], None]
"""Called with a line for a person and the fraction done (0 to 1), or ``None`` where nobody knows."""


Generate: TypeAlias = Callable[[str, Any, Any], Any]
"""Asks the run's model: prompt, context, response format → a text, or an object of the step's outputs."""


class NotPerformed(Exception):
    """Raised by a tool: the effect surely did not happen, so trying again repeats nothing."""


class Cancelled(Exception):
    """Raised by :meth:`Cancellation.raise_if_requested`: the tool stops because it was asked to."""


class Cancellation:
    """Whether a call should stop. Asking a parent asks every child; any thread may ask or look."""

    def __init__(self, parent: Cancellation | None = None) -> None:
        self._event: threading.Event | None = None
        self._requested = False
        self._lock = threading.Lock()
        self._children: weakref.WeakSet[Cancellation] | None = None
        if parent is not None:
            parent._adopt(self)

    @property
    def requested(self) -> bool:
        """Whether somebody asked the call to stop."""
        return self._requested

    def request(self) -> None:
        """Ask. Asking twice is the same as asking once."""
        with self._lock:
            self._requested = True
            event, children = self._event, list(self._children or ())
        if event is not None:
            event.set()
        for child in children:
            child.request()

    def wait(self, seconds: float | None = None) -> bool:
        """Sleep until asked or until ``seconds`` are over; whether asked. ``None``: as long as it takes."""
        with self._lock:
            # An event costs more than the rest of a call, so it is made only for those who sleep.
            event = self._event = self._event or threading.Event()
            if self._requested:
                event.set()
        return event.wait(seconds)

    def raise_if_requested(self) -> None:
        """Raise :class:`Cancelled` if the call should stop."""
        if self._requested:
            raise Cancelled("the call was asked to stop")

    def _adopt(self, child: Cancellation) -> None:
        with self._lock:
            self._children = self._children if self._children is not None else weakref.WeakSet()
            self._children.add(child)
            requested = self._requested
        if requested:
            child.request()


def _silent(message: str, fraction: float | None = None) -> None:
    """The progress callback of a context that nobody watches."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Filled in by the machine for a parameter annotated ``ToolContext``; no part of the tool's schema.

    ``step`` is the ``seq_no``; ``visit`` counts the executions of that step from 1; ``item`` is the index
    within ``for_each``, else ``None``. ``idempotency_key`` is the same for every attempt of the same call
    and ``None`` for ``pure`` and ``read`` tools. ``generate`` asks the run's model, ``None`` where there is
    none. ``progress(message, fraction)`` tells who watches. Every field has a default, so a test may build
    ``ToolContext()``.
    """

    task_id: str = ""
    branch: str = "main"
    step: int = 0
    visit: int = 1
    item: int | None = None
    idempotency_key: str | None = None
    workspace: Any = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    progress: Progress = _silent
    generate: Generate | None = None
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = field(
        default_factory=lambda: logging.getLogger("stackvm.tools")
    )
