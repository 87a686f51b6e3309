"""Problem details (RFC 9457) as the errors that they were, so that a command ends as it would have here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.errors import (
    Ambiguous,
    BaseMoved,
    BranchMoved,
    Busy,
    ConfigurationError,
    Conflict,
    Forbidden,
    InputError,
    InvalidName,
    InvalidValue,
    LeaseHeld,
    ModelError,
    NotFound,
    PlanRejected,
    ServerFailed,
    StackVMError,
    StorageError,
)
from app.plan.findings import Finding

_BY_CODE: Final[Mapping[str, type[StackVMError]]] = {
    "not-found": NotFound,
    "ambiguous": Ambiguous,
    "forbidden": Forbidden,
    "busy": Busy,
    "base-moved": BaseMoved,
    "conflict": Conflict,
    "invalid-name": InvalidName,
    "invalid-value": InvalidValue,
    "invalid-input": InputError,
    "too-large": InputError,
    "plan-rejected": PlanRejected,
    "branch-is-run": LeaseHeld,
    "branch-moved": BranchMoved,
    "model-error": ModelError,
    "not-configured": ConfigurationError,
    "storage-error": StorageError,
}
_KEY_HINT: Final = "set STACKVM_API_KEY to a key of that server; `stackvm key create` there makes one"
_PASSING: Final = (408, 429, 502, 503, 504)
_FINDINGS: Final = 1_000


def error_of(
    status: int, problem: Mapping[str, Any], server: str, retry_after: float | None = None
) -> StackVMError:
    """The error that a server's answer stands for."""
    code, title = problem.get("code"), _text(problem.get("title")) or f"status {status}"
    hint = _text(problem.get("detail")) or None
    if status == 401:
        return ConfigurationError(f"{server}: {title}", hint=_KEY_HINT)
    if status == 421:
        return ConfigurationError(f"{server}: {title}", hint=hint)
    if code == "plan-rejected":
        rejected = PlanRejected(_findings(problem.get("findings")))
        rejected.message = title
        return rejected
    kind = _BY_CODE.get(str(code))
    if status == 429 or kind is None:
        may_pass = status in _PASSING or code == "request-under-way"
        return ServerFailed(f"{server}: {title}", hint=hint, may_pass=may_pass, retry_after=retry_after)
    return _again(kind, *_said(title, hint, problem.get("problems")))


def _again(kind: type[StackVMError], message: str, hint: str | None) -> StackVMError:
    """An error of a class, whatever its constructor makes its message of."""
    error = kind.__new__(kind)
    StackVMError.__init__(error, message, hint=hint)
    return error


def _said(title: str, hint: str | None, places: Any) -> tuple[str, str | None]:
    """Where the request itself didn't fit, the first place is worth more than that it didn't."""
    if not isinstance(places, list) or not places or not isinstance(places[0], dict):
        return title, hint
    first = places[0]
    return f"{_text(first.get('field'))}: {_text(first.get('message'))}", hint


def _findings(documents: Any) -> list[Finding]:
    found = []
    for each in documents[:_FINDINGS] if isinstance(documents, list) else []:
        if isinstance(each, dict):
            step = each.get("step")
            found.append(
                Finding(
                    _text(each.get("code")),
                    "warning" if each.get("severity") == "warning" else "error",
                    step if isinstance(step, int) else None,
                    _text(each.get("path")),
                    _text(each.get("message")),
                    _text(each.get("hint")),
                )
            )
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
