"""One attempt: the tool's function is called, and whatever happens becomes a value or an error."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from app.errors import ModelError
from app.plan.model import Json
from app.tools.context import Cancellation, Cancelled, NotPerformed, ToolContext
from app.tools.results import to_json_value
from app.vm.calls import Call, CallError
from app.vm.thinking import model_error_text

Attempted: TypeAlias = tuple[Json, CallError | None]
"""The value, or ``None`` and the error."""

CallWatcher: TypeAlias = Callable[[Call, str, float | None], None]
"""Told what a tool reports of its progress, in the tool's thread."""

_MAX_MESSAGE: Final = 2_000


def attempt(call: Call, arguments: dict[str, Any], *, interruptible: bool = False) -> Attempted:
    """Call a plain function. ``interruptible``: Ctrl-C in the main thread is the user's, not the tool's."""
    try:
        result = call.tool.function(**arguments)
    except BaseException as error:
        # SystemExit too: a tool that gives up must not end the run.
        ours = threading.current_thread() is threading.main_thread()
        if interruptible and ours and isinstance(error, KeyboardInterrupt):
            raise
        return None, _raised(call, error, arguments)
    return _returned(call, result)


async def attempt_async(call: Call, arguments: dict[str, Any]) -> Attempted:
    """Call a coroutine function. Nothing leaves it: what ends a task badly would end the event loop."""
    try:
        result = call.tool.function(**arguments)
        if inspect.isawaitable(result):
            result = await result
    except asyncio.CancelledError:
        return None, CallError("cancelled", "the call was cancelled")
    except BaseException as error:  # noqa: BLE001 - SystemExit of a tool must not end the run
        return None, _raised(call, error, arguments)
    return _returned(call, result)


def timeout_error(call: Call) -> CallError:
    """The tool overran: what it did, and whether it will still do something, is not known."""
    return CallError("timeout", f"{call.tool.name} overran its timeout of {call.timeout:g} s")


def make_context(call: Call, cancellation: Cancellation, watcher: CallWatcher | None) -> ToolContext:
    """What the tool is told. Progress that comes after it was asked to stop is dropped."""

    def progress(message: str, fraction: float | None = None) -> None:
        if watcher is not None and not cancellation.requested:
            watcher(call, message, fraction)

    return ToolContext(
        task_id=call.task_id,
        branch=call.branch,
        step=call.seq_no,
        visit=call.visit,
        item=call.item,
        idempotency_key=call.idempotency_key,
        cancellation=cancellation,
        progress=progress,
        generate=call.generate,
        logger=logging.LoggerAdapter(
            _logger(call), {"task_id": call.task_id, "branch": call.branch, "step": call.seq_no}
        ),
    )


def _returned(call: Call, result: Any) -> Attempted:
    try:
        return to_json_value(result, call.max_result_bytes), None
    except Exception as error:  # noqa: BLE001 - a result's own code (properties, serializers) runs here
        return None, CallError("result", _one_line(f"{call.tool.name}: {error}"))


def _raised(call: Call, error: BaseException, arguments: dict[str, Any]) -> CallError:
    _logger(call).debug("%s raised", call.tool.name, exc_info=error)
    if isinstance(error, NotPerformed):
        return CallError("not_performed", error_text(error))
    name = call.tool.context_parameter
    if isinstance(error, Cancelled) and name is not None and arguments[name].cancellation.requested:
        return CallError("cancelled", error_text(error))
    if isinstance(error, ModelError):
        return CallError("raised", _one_line(model_error_text(error)))
    return CallError("raised", error_text(error))


def error_text(error: BaseException) -> str:
    """``TypeName: message`` on one line, at most 2,000 characters that UTF-8 can hold."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception class of the tool's author, with a broken __str__
        message = "(its message can't be shown)"
    return _one_line(f"{type(error).__name__}: {message}" if message else type(error).__name__)


def _one_line(text: str) -> str:
    line = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"


def _logger(call: Call) -> logging.Logger:
    return logging.getLogger(f"stackvm.tools.{call.tool.name}")
