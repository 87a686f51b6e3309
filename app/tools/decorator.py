"""``@tool``: makes a tool of a function."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NoReturn, cast, overload

from app.errors import ConfigurationError
from app.plan.model import Retry
from app.tools.base import EFFECTS, Effect, Tool
from app.tools.schema import call_shape
from app.tools.version import function_version

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_MAX_ATTEMPTS: Final = 100
_MAX_BACKOFF: Final = 3_600.0


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: Effect | None = None,
    timeout: float | None = None,
    retry: Retry | int | Mapping[str, Any] | None = None,
    aliases: Sequence[str] = (),
    version: str | None = None,
    reuse: bool = True,
    secrets: bool = True,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    effect: Effect | None = None,
    timeout: float | None = None,
    retry: Retry | int | Mapping[str, Any] | None = None,
    aliases: Sequence[str] = (),
    version: str | None = None,
    reuse: bool = True,
    secrets: bool = True,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function; the name of the function becomes a :class:`Tool` that is called like it.

    ``effect`` is ``pure``, ``read``, ``write`` or ``irreversible``; undeclared, the machine must assume the
    last. ``timeout``: seconds for one attempt. ``retry``: attempts in all, or ``{"max_attempts": 3,
    "backoff": 1.0}``. ``version`` is part of what decides whether an earlier result may be reused.
    ``secrets=False``: ``secret:NAME`` in the arguments stays as it is.
    Raises ``ConfigurationError`` naming the function, its file and line.
    """
    caller = sys._getframe(1)
    module = str(caller.f_globals.get("__name__", ""))
    somewhere = f"{caller.f_code.co_filename}:{caller.f_lineno}"

    def make(target: Callable[..., Any]) -> Tool:
        place = _place(target) or somewhere
        label = f"{place}: tool function {getattr(target, '__name__', name or type(target).__name__)}"
        _check_function(target, label)
        shape = call_shape(target, label)
        tool_name = _checked_name(name if name is not None else target.__name__, label)
        return Tool(
            name=tool_name,
            description=_description(target, label),
            parameters=shape.parameters,
            result=shape.result,
            effect=_checked_effect(effect, label),
            declared=effect is not None,
            timeout=_checked_timeout(timeout, label),
            retry=_checked_retry(retry, label),
            aliases=_checked_aliases(tool_name, aliases, label),
            version=_checked_version(version, label) or function_version(target),
            reuse=bool(reuse),
            is_async=inspect.iscoroutinefunction(inspect.unwrap(target)),
            function=target,
            context_parameter=shape.context_parameter,
            converters=shape.converters,
            extra_converter=shape.extra_converter,
            place=place,
            module=module,
            secrets=bool(secrets),
        )

    return make if function is None else make(function)


def _place(function: Callable[..., Any]) -> str | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else None


def _check_function(function: Any, label: str) -> None:
    if isinstance(function, Tool):
        _refuse(label, "it is a tool already", "decorate it once")
    if not callable(function) or isinstance(function, type):
        _refuse(label, "not a function", "decorate a function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        _refuse(label, "it yields", "a tool returns its whole result: return a list")
    if not hasattr(function, "__name__") and not hasattr(function, "func"):
        _refuse(label, "it has no name", "decorate a function")


def _description(function: Callable[..., Any], label: str) -> str:
    description = (inspect.getdoc(function) or "").strip()
    if not description:
        _refuse(label, "it has no docstring", "say what it does: plans are written from that text")
    return description


def _checked_name(name: Any, label: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        _refuse(label, f"{name!r} is no tool name", "letters, digits, _ . - after a letter or _, at most 128")
    return name


def _checked_aliases(name: str, aliases: Sequence[str], label: str) -> tuple[str, ...]:
    if isinstance(aliases, str):
        _refuse(label, f"aliases={aliases!r} is text", f'write aliases=["{aliases}"]')
    seen = {name}
    for alias in aliases:
        if _checked_name(alias, label) in seen:
            _refuse(label, f"the name {alias!r} is given twice", "list every alias once")
        seen.add(alias)
    return tuple(aliases)


def _checked_effect(effect: Any, label: str) -> Effect:
    if effect is None:
        return "irreversible"
    if effect not in EFFECTS:
        _refuse(label, f"effect={effect!r} is no effect class", f"one of {', '.join(EFFECTS)}")
    return cast(Effect, effect)


def _checked_timeout(timeout: Any, label: str) -> float | None:
    if timeout is None:
        return None
    if not _is_number(timeout) or timeout <= 0:
        _refuse(label, f"timeout={timeout!r}", "a positive number of seconds, or None")
    return float(timeout)


def _checked_retry(retry: Any, label: str) -> Retry | None:
    if retry is None:
        return None
    if type(retry) is int:
        retry = Retry(max_attempts=retry)
    elif isinstance(retry, Mapping) and set(retry) <= {"max_attempts", "backoff"}:
        retry = Retry(**retry)
    if not isinstance(retry, Retry) or not _is_policy(retry):
        _refuse(
            label,
            f"retry={retry!r}",
            f'attempts from 1 to {_MAX_ATTEMPTS}, or {{"max_attempts": 3, "backoff": seconds}}',
        )
    return retry


def _is_policy(retry: Retry) -> bool:
    attempts, backoff = retry.max_attempts, retry.backoff
    return (
        type(attempts) is int
        and 1 <= attempts <= _MAX_ATTEMPTS
        and _is_number(backoff)
        and 0 <= backoff <= _MAX_BACKOFF
    )


def _checked_version(version: Any, label: str) -> str | None:
    if version is None:
        return None
    if not isinstance(version, str) or not version.strip() or len(version) > 128:
        _refuse(label, f"version={version!r}", "a short text such as '2'")
    return version


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _refuse(label: str, problem: str, hint: str) -> NoReturn:
    raise ConfigurationError(f"{label}: {problem}", hint=hint)
