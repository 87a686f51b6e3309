"""Every error StackVM raises on purpose, grouped by who must react.

StackVMError
├── InputError                 the caller: correct what was given               (exit 2)
│   ├── NotFound               no such task, branch, commit, namespace, tool
│   ├── Ambiguous              an id prefix that matches more than one thing
│   ├── Conflict               the name is taken, or the thing is in a state that forbids it
│   │   └── BaseMoved          the branch is not where it was when a revision was worked out
│   ├── InvalidName            what can't be the name of a branch, a ref, a tag
│   ├── InvalidValue           a value JSON or the history can't hold
│   ├── Forbidden              the caller may not do that
│   └── Busy                   too much waits already: later
├── PlanRejected               the plan's author: the checker's findings        (exit 4)
│   └── PlanNotClean           a model's plan that kept errors after every round
├── ConfigurationError         the operator: settings, migrations, tool files   (exit 2)
│   └── NoModelHere            what was submitted takes a model that a server lacks
├── StorageError               the operator: database or disk                   (exit 1)
│   └── DamagedHistory         an object is missing or is not what its id says
├── ModelError                 the operator: key, model, server, or a budget    (exit 1)
│   ├── UnusableReply          the model answered, and it is of no use          (app/llm/base.py)
│   └── CallFailed             a call that failed for good, with what it cost   (app/llm/base.py)
├── ServerFailed               the operator: a StackVM server gave no answer    (exit 1)
├── BranchMoved                another worker owns the branch now               (exit 1)
├── LeaseHeld                  another worker runs the branch                   (exit 1)
└── StepError                  the plan: becomes that step's recorded error, never an exit
    ├── ReferenceFailed        a variable or path that is not there
    ├── ExpressionFailed       an expression that can't be evaluated
    ├── ArgumentsInvalid       arguments that don't fit the tool's schema
    └── ToolFailed             the tool raised, or gave what JSON can't hold
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class StackVMError(Exception):
    """The root. ``message`` is one line for a person; ``hint`` says what would be right."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} ({self.hint})"


class InputError(StackVMError):
    """What the caller gave can't be used."""


class NotFound(InputError):
    """There is no ``kind`` called ``name``."""

    def __init__(self, kind: str, name: str, *, hint: str | None = None) -> None:
        super().__init__(f"no {kind} {name!r}", hint=hint)
        self.kind = kind
        self.name = name


class Ambiguous(InputError):
    """``name`` is a prefix of more than one ``kind``."""

    def __init__(self, kind: str, name: str, candidates: Sequence[str]) -> None:
        super().__init__(f"{kind} {name!r} is ambiguous", hint="could be " + ", ".join(candidates[:5]))
        self.kind = kind
        self.name = name
        self.candidates = list(candidates)


class Conflict(InputError):
    """The name is taken, or the thing is in a state that forbids the action."""


class BaseMoved(Conflict):
    """A branch is not any more where it was when its revision was worked out."""


class InvalidName(InputError):
    """What can't be the name of a branch, a ref, a tag, whatever there is already."""


class InvalidValue(InputError):
    """A value that canonical JSON or the history can't hold. ``path`` says where in it."""

    def __init__(self, message: str, *, path: str = "", hint: str | None = None) -> None:
        super().__init__(f"{message} at {path}" if path else message, hint=hint)
        self.path = path


class Forbidden(InputError):
    """The caller's role does not allow it."""


class Busy(InputError):
    """The backlog is full. ``retry_after`` is in seconds."""

    def __init__(self, waiting: int, retry_after: float = 5.0) -> None:
        super().__init__(f"{waiting:,} runs wait already", hint=f"try again in {retry_after:.0f} s")
        self.waiting = waiting
        self.retry_after = retry_after


class PlanRejected(StackVMError):
    """The checker found errors. ``findings`` are :class:`app.plan.check.Finding`."""

    def __init__(self, findings: Sequence[Any]) -> None:
        errors = [finding for finding in findings if finding.severity == "error"]
        count = len(errors)
        super().__init__(f"the plan was rejected: {count} {'error' if count == 1 else 'errors'}")
        self.findings = list(findings)


class PlanNotClean(PlanRejected):
    """A model's plan still had errors after every round. ``findings`` are those of the last round.

    ``rounds`` are :class:`app.planner.rounds.Round`, all of them.
    """

    def __init__(self, findings: Sequence[Any], rounds: Sequence[Any]) -> None:
        super().__init__(findings)
        count = len(rounds)
        self.message = f"no clean plan after {count} {'round' if count == 1 else 'rounds'}: {self.message}"
        self.rounds = list(rounds)


class ConfigurationError(StackVMError):
    """A setting, a missing migration or a tool file stands in the way."""


class NoModelHere(ConfigurationError):
    """What was submitted takes a model, and this server has none: send a plan."""


class StorageError(StackVMError):
    """The database or the disk did not do what was asked; nothing half-done was left."""


class DamagedHistory(StorageError):
    """An object of the history is missing or its bytes don't have its id."""

    def __init__(self, oid: str, what: str) -> None:
        super().__init__(f"history is damaged: object {oid} {what}")
        self.oid = oid


class ModelError(StackVMError):
    """A model could not be asked, or gave nothing usable.

    ``kind`` is ``auth``, ``no_model``, ``too_long``, ``rate_limit``, ``network``, ``timeout``, ``server``,
    ``refused`` (the server's no to this request), ``mode`` (it lacks a structured-output mode), ``garbage`` or
    ``budget``. ``retry_after`` is in seconds, where the server named a time.
    """

    def __init__(
        self, kind: str, message: str, *, hint: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.retry_after = retry_after
        self.calls: Sequence[Any] = ()
        """The :class:`app.llm.base.ModelCall` that were made, and paid for, in vain."""

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.kind in ("rate_limit", "network", "timeout", "server")


class ServerFailed(StackVMError):
    """A StackVM server that was asked could not be reached, or gave no answer that is one.

    ``may_pass``: the same request may succeed later. ``retry_after`` is in seconds, where the server named a time.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        may_pass: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.may_pass = may_pass
        self.retry_after = retry_after


class BranchMoved(StackVMError):
    """A branch head was not where it was expected, or the fence is no longer ours."""

    def __init__(self, ref: str, detail: str = "another worker moved it") -> None:
        super().__init__(f"branch {ref.removeprefix('refs/heads/')!r}: {detail}")
        self.ref = ref


class LeaseHeld(StackVMError):
    """Another worker holds the lease of this branch."""

    def __init__(self, branch: str, owner: str, seconds_left: float) -> None:
        super().__init__(
            f"branch {branch!r} is being run by {owner}; its lease ends in {seconds_left:.0f} s at the latest"
        )
        self.branch = branch
        self.owner = owner
        self.seconds_left = seconds_left


class StepError(StackVMError):
    """Something in a step went wrong: it becomes the step's recorded error."""


class ReferenceFailed(StepError):
    """A reference to a variable that is not set, or to a path that is not there."""


class ExpressionFailed(StepError):
    """An expression that can't be evaluated: wrong types, division by zero, a limit."""


class ArgumentsInvalid(StepError):
    """Arguments that don't fit the tool's schema."""


class ToolFailed(StepError):
    """The tool raised, or gave a result that JSON can't hold."""
