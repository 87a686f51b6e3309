"""One attempt: the tool's function is called, and whatever happens becomes a value or an error."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable
from math import inf
from typing import Any, Final, TypeAlias

from app.errors import ModelError
from app.log_fields import bind
from app.plan.model import Json
from app.tools.context import Cancellation, Cancelled, Generate, NotPerformed, ToolContext
from app.tools.masks import NO_MASKS, Masks
from app.tools.results import to_json_value
from app.vm.calls import MAX_DELAY_SECONDS, Call, CallError
from app.vm.thinking import model_error_text
from app.vm.tool_logs import tool_logger

Attempted: TypeAlias = tuple[Json, CallError | None]
"""The value, or ``None`` and the error."""

CallWatcher: TypeAlias = Callable[[Call, str, float | None], None]
"""Told what a tool reports of its progress, in the tool's thread."""

_MAX_MESSAGE: Final = 2_000


def attempt(call: Call, arguments: dict[str, Any], *, interruptible: bool = False) -> Attempted:
    """Call a plain function. ``interruptible``: Ctrl-C in the main thread is the user's, not the tool's."""
    _prepare_logs(call)
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
    _prepare_logs(call)
    try:
        result = call.tool.function(**arguments)
        if inspect.isawaitable(result):
            result = await result
    except asyncio.CancelledError:
        return None, CallError("cancelled", "the call was cancelled")
    except BaseException as error:  # noqa: BLE001 - SystemExit of a tool must not end the run
        return None, _raised(call, error, arguments)
    return _returned(call, result)


def _prepare_logs(call: Call) -> None:
    """An attempt has a context of its own: what is bound in it ends with it."""
    bind(task_id=call.task_id, branch=call.branch, step=call.seq_no, item=call.item)
    if call.secrets.masks:
        _logger(call)  # the tool may get it by its name


def timeout_error(call: Call) -> CallError:
    """The tool overran: what it did, and whether it will still do something, is not known."""
    return CallError("timeout", f"{call.tool.name} overran its timeout of {call.timeout:g} s")


def make_context(call: Call, cancellation: Cancellation, watcher: CallWatcher | None) -> ToolContext:
    """What the tool is told. Progress that comes after it was asked to stop is dropped."""
    masks = call.secrets.masks

    def progress(message: str, fraction: float | None = None) -> None:
        if watcher is not None and not cancellation.requested:
            watcher(call, masks.text(str(message)) if masks else message, fraction)

    return ToolContext(
        task_id=call.task_id,
        branch=call.branch,
        step=call.seq_no,
        visit=call.visit,
        item=call.item,
        idempotency_key=call.idempotency_key,
        cancellation=cancellation,
        progress=progress,
        generate=_way_to_the_model(call, cancellation, masks),
        logger=logging.LoggerAdapter(
            _logger(call), {"task_id": call.task_id, "branch": call.branch, "step": call.seq_no}
        ),
    )


def _way_to_the_model(call: Call, cancellation: Cancellation, masks: Masks) -> Generate | None:
    """What a tool asks a model passes through the masks: a value is nothing to tell a model."""
    if call.generate is None:
        return None
    ask = call.generate(cancellation)
    if not masks:
        return ask

    def masked(prompt: str, context: Any = None, response_format: Any = None) -> Any:
        return ask(masks.json(prompt), masks.json(context), masks.json(response_format))

    return masked


def _returned(call: Call, result: Any) -> Attempted:
    masks, limit = call.secrets.masks, call.max_result_bytes
    try:
        value = to_json_value(result, limit)
        masked = masks.json(value) if masks else value
        # A mask may be longer than what it hides.
        return (value if masked is value else to_json_value(masked, limit)), None
    except Exception as error:  # noqa: BLE001 - a result's own code (properties, serializers) runs here
        return None, CallError("result", _one_line(masks.text(f"{call.tool.name}: {error}")))


def _raised(call: Call, error: BaseException, arguments: dict[str, Any]) -> CallError:
    _logger(call).debug("%s raised", call.tool.name, exc_info=error)
    text = error_text(error, call.secrets.masks)
    if isinstance(error, NotPerformed):
        return CallError("not_performed", text, retry_after=_retry_after(error))
    name = call.tool.context_parameter
    if isinstance(error, Cancelled) and name is not None and arguments[name].cancellation.requested:
        return CallError("cancelled", text)
    if isinstance(error, ModelError):
        text = _one_line(call.secrets.masks.text(model_error_text(error)))
    return CallError("raised", text, _attribute(error, "final") is True, _retry_after(error))


def _retry_after(error: BaseException) -> float:
    """The seconds that an exception asks to wait, by its attribute of that name."""
    seconds = _attribute(error, "retry_after")
    if not isinstance(seconds, int | float) or not 0 < seconds < inf:
        return 0.0
    return float(min(seconds, MAX_DELAY_SECONDS))


def _attribute(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property of the tool's author
        return None


def error_text(error: BaseException, masks: Masks = NO_MASKS) -> str:
    """``TypeName: message`` on one line, at most 2,000 characters that UTF-8 can hold."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception class of the tool's author, with a broken __str__
        message = "(its message can't be shown)"
    # Masked before it is shortened: half a secret is one, too.
    return _one_line(masks.text(f"{type(error).__name__}: {message}" if message else type(error).__name__))


def _one_line(text: str) -> str:
    line = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"


def _logger(call: Call) -> logging.Logger:
    return tool_logger(call.tool.name, call.secrets.masks)
