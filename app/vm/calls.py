"""One call of a tool as data, what became of it, and the rules of what may be tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal, Protocol, TypeAlias

from app.crash_points import reached
from app.errors import ArgumentsInvalid
from app.plan.model import Json, Retry
from app.tools.arguments import bind_arguments
from app.tools.base import Effect, Tool
from app.tools.context import Cancellation, Generate
from app.tools.secrets import NO_SECRETS, Secrets
from app.vm.events import AttemptBegan, AttemptEnded, Listener
from app.vm.origins import Origin

CallState: TypeAlias = Literal["ok", "failed", "unknown"]
"""``failed``: surely without effect, or of a tool that has none. ``unknown``: it may have happened."""

ErrorKind: TypeAlias = Literal["raised", "timeout", "result", "not_performed", "arguments", "cancelled"]
"""``result``: the tool returned what JSON can't hold. ``arguments``: the tool was not called."""

MAX_RESULT_BYTES: Final = 16 * 1024 * 1024
_ONCE: Final = Retry(max_attempts=1)
MAX_DELAY_SECONDS: Final = 300.0
_MAX_DOUBLINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is ready to be made. ``arguments`` are resolved JSON; nothing here is changed.

    They name ``secrets``, whose values are put in for each attempt and taken out of all that it gives.

    ``timeout`` (seconds for one attempt) and ``retry`` are the ones that apply: the step's, else the
    tool's; ``None`` is no timeout, and one attempt. ``item`` is the index within ``for_each``. ``generate`` is the
    way to the model for an attempt that a cancellation may end.
    """

    tool: Tool
    arguments: Mapping[str, Json]
    task_id: str = ""
    branch: str = "main"
    seq_no: int = 0
    visit: int = 1
    item: int | None = None
    idempotency_key: str | None = None
    timeout: float | None = None
    retry: Retry | None = None
    max_result_bytes: int = MAX_RESULT_BYTES
    generate: Callable[[Cancellation], Generate] | None = None
    secrets: Secrets = NO_SECRETS


@dataclass(frozen=True, slots=True)
class CallError:
    """Why there is no value. ``message`` is one line of at most 2,000 characters.

    ``final``: the tool says that no other attempt could help. ``retry_after``: for how many seconds it asks to
    wait before one.
    """

    kind: ErrorKind
    message: str
    final: bool = False
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: ``value`` where ``state`` is ``ok``, else ``error``.

    ``attempts`` is 0 where the tool was never called; ``origin`` says where the value came from then, if it is an
    earlier result. Times are epoch milliseconds: the start of the first attempt and the end of the last.
    """

    state: CallState
    value: Json
    error: CallError | None
    attempts: int
    started_ms: int
    ended_ms: int
    model_calls: tuple[dict[str, Json], ...] = ()
    origin: Origin | None = None


class AttemptHooks(Protocol):
    """Called in the thread that called the performer. What they raise ends all and reaches the caller."""

    def before_attempt(self, call: Call, number: int) -> None:
        """Attempt ``number`` (from 1) is about to begin: the tool has not been called."""

    def after_attempt(self, call: Call, number: int, state: CallState, error: CallError | None) -> None:
        """Attempt ``number`` is over; another may follow."""


def attempt_state(effect: Effect, error: CallError | None) -> CallState:
    """What is known of an attempt's effect."""
    if error is None:
        return "ok"
    if effect in ("pure", "read") or error.kind in ("not_performed", "arguments"):
        return "failed"
    return "unknown"


def may_repeat(effect: Effect, error: CallError) -> bool:
    """Whether another attempt could give something else, and repeats nothing that must not be repeated."""
    if error.final:
        return False
    if error.kind == "not_performed":
        return True
    return error.kind in ("raised", "timeout") and effect != "irreversible"


class CallProgress:
    """A call on its way through its attempts; whoever makes them tells it what each gave."""

    __slots__ = (
        "attempts",
        "began",
        "call",
        "hooks",
        "last_error",
        "listener",
        "now_ms",
        "policy",
        "started_ms",
        "unknown",
    )

    def __init__(
        self,
        call: Call,
        hooks: AttemptHooks | None,
        now_ms: Callable[[], int],
        listener: Listener | None = None,
    ) -> None:
        self.call = call
        self.hooks = hooks
        self.now_ms = now_ms
        self.listener = listener
        self.began = 0.0
        self.policy = call.retry or _ONCE
        self.attempts = 0
        self.started_ms = now_ms()
        self.unknown = False
        self.last_error: CallError | None = None

    def begin(self) -> dict[str, Json] | Outcome:
        """The function's arguments for the next attempt, or the outcome where they don't fit the tool.

        They are made anew for each attempt: an earlier one may have changed its own, and nothing but the
        attempt may know a secret.
        """
        tool, secrets = self.call.tool, self.call.secrets
        try:
            given = secrets.resolve(self.call.arguments) if tool.secrets else self.call.arguments
            arguments = bind_arguments(tool, given, secrets.masks.text)
        except ArgumentsInvalid as error:
            return self.end(CallError("arguments", secrets.masks.text(str(error))))
        if self.hooks is not None:
            self.hooks.before_attempt(self.call, self.attempts + 1)
        self.attempts += 1
        if self.listener is not None:
            self.began = monotonic()
            self.listener(AttemptBegan(*self._which()))
        return arguments

    def _which(self) -> tuple[int, int, int | None, str, int]:
        call = self.call
        return call.seq_no, call.visit, call.item, call.tool.name, self.attempts

    def conclude(self, value: Json, error: CallError | None) -> Outcome | None:
        """The attempt is over: the call's outcome, or ``None`` where another attempt is due."""
        reached("call.returned")
        if self.listener is not None:
            seconds, kind = monotonic() - self.began, None if error is None else error.kind
            self.listener(AttemptEnded(*self._which(), seconds, kind))
        effect = self.call.tool.effect
        state = attempt_state(effect, error)
        self.unknown = self.unknown or state == "unknown"
        self.last_error = error
        if self.hooks is not None:
            self.hooks.after_attempt(self.call, self.attempts, state, error)
        if error is None:
            return Outcome("ok", value, None, self.attempts, self.started_ms, self.now_ms())
        if self.attempts < self.policy.max_attempts and may_repeat(effect, error):
            return None
        return self.end(error)

    def end(self, error: CallError) -> Outcome:
        """The outcome without a value. One attempt of unknown effect leaves the whole call unknown."""
        state: CallState = "unknown" if self.unknown else "failed"
        return Outcome(state, None, error, self.attempts, self.started_ms, self.now_ms())

    def stop(self) -> Outcome:
        """The outcome of a call that is not to be tried again, or not at all."""
        return self.end(self.last_error or CallError("cancelled", "the run was cancelled before the call"))

    def delay(self, jitter: float) -> float:
        """Seconds until the next attempt: the backoff, doubled after each attempt, times ``jitter``; but not
        less than what the tool asked for."""
        doubled = self.policy.backoff * 2.0 ** min(self.attempts - 1, _MAX_DOUBLINGS)
        asked = self.last_error.retry_after if self.last_error is not None else 0.0
        return max(min(doubled, MAX_DELAY_SECONDS) * jitter, asked)
