"""What every line of a log says of the request or run it is about, and the lines that are worth one.

Fields go by context: whatever a request or run does in its own thread says them by itself, and threads that are
started through :func:`carried` too. Nothing here needs a library; how lines look is ``app/observability/logs.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import Final, ParamSpec

_Given = ParamSpec("_Given")

_FIELDS: Final[ContextVar[Mapping[str, object]]] = ContextVar(
    "stackvm_log_fields", default=MappingProxyType({})
)
_TRACE: Final[ContextVar[str | None]] = ContextVar("stackvm_trace", default=None)

RUNS: Final = logging.getLogger("stackvm.runs")
"""What happens to runs. A program that set up no logging, such as a command, shows none of it."""
RUNS.addHandler(logging.NullHandler())


def fields() -> Mapping[str, object]:
    """What lines say by themselves here."""
    return _FIELDS.get()


def bind(**more: object) -> None:
    """Say these too, until the context ends; what is ``None`` is not said."""
    _FIELDS.set({**_FIELDS.get(), **{name: value for name, value in more.items() if value is not None}})


@contextmanager
def bound(*, trace: str | None = None, **more: object) -> Iterator[None]:
    """Say these too within the block. ``trace``: the W3C ``traceparent`` of what caused all that happens there; its
    ``trace_id`` is said as well."""
    token, traced = _FIELDS.set(_FIELDS.get()), _TRACE.set(_TRACE.get())
    if trace is not None:
        _TRACE.set(trace)
        bind(trace_id=trace[3:35])
    bind(**more)
    try:
        yield
    finally:
        _TRACE.reset(traced)
        _FIELDS.reset(token)


def current_trace() -> str | None:
    """The ``traceparent`` of what happens here; ``None``: nobody traces it."""
    return _TRACE.get()


def carried(target: Callable[_Given, object]) -> Callable[_Given, None]:
    """For a thread: ``target`` in a copy of this context."""
    context = copy_context()

    def run(*args: _Given.args, **named: _Given.kwargs) -> None:
        context.run(target, *args, **named)

    return run


def tell(logger: logging.Logger, level: int, event: str, message: str = "", **more: object) -> None:
    """Log ``event``, a name such as ``run.started`` that stays, with ``message`` for people and more fields."""
    if logger.isEnabledFor(level):
        logger.log(level, message or event, extra={"event": event, "fields": more})
