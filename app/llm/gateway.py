"""One door to a model: retries, fallback of structured output, counts, costs and budgets."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from app.errors import ModelError
from app.llm.base import (
    Asked,
    CallFailed,
    Cancellation,
    Model,
    ModelCall,
    ModelReply,
    ModelRequest,
    OnCall,
    OnRetry,
    OnToken,
    Retry,
    UnusableReply,
    Watch,
)
from app.llm.budget import Budget
from app.llm.detached import complete_detached
from app.llm.modes import PROCESS_MODES, ModeMemory, next_mode
from app.llm.prices import Prices

MAX_ATTEMPTS: Final = 5
MAX_RETRY_SECONDS: Final = 120.0
"""No attempt begins later than this after the first."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0
CHARACTERS_PER_TOKEN: Final = 4
"""For budgets, where a server does not say what it counted."""


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _full_jitter(longest: float) -> float:
    # Any wait up to the longest is as likely, so that clients that failed together don't come back together.
    return random.uniform(0, longest)


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Asks one model until it answers, or until there is no use in asking. Safe between threads if the model is.

    ``clock_ms`` gives epoch milliseconds, ``sleep`` takes seconds, ``jitter`` turns the longest wait into the wait.
    ``dataclasses.replace(gateway, budget=…)`` makes the gateway of another run, with the same connections, and
    :meth:`followed_by` that of another call.
    """

    model: Model = field(kw_only=False)
    prices: Prices = field(default_factory=Prices)
    budget: Budget = field(default_factory=Budget)
    modes: ModeMemory = PROCESS_MODES
    on_retry: OnRetry | None = None
    on_call: OnCall | None = None
    cancellation: Cancellation | None = None
    clock_ms: Callable[[], int] = _wall_clock_ms
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float], float] = _full_jitter

    def followed_by(self, watch: Watch) -> Gateway:
        """The same gateway for calls that ``watch`` follows; its ``on_token`` is for :meth:`ask`."""
        return replace(self, on_retry=watch.on_retry, on_call=watch.on_call, cancellation=watch.cancellation)

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        """The reply and the record of the call. Raises :class:`CallFailed`, with the record of what it cost.

        ``on_token`` hears the text as it comes, ``on_retry`` is told before it begins anew. ``cancellation`` ends the
        call at any moment, with the error that its ``raise_if_requested`` raises; so does ``KeyboardInterrupt``.
        """
        try:
            self.budget.begin(self.model.name, priced=self.prices.knows(self.model.name))
        except ModelError as error:
            raise CallFailed(error, None) from None
        return _Asking(self, request, on_token).run()


class _Asking:
    """One call on its way: its attempts so far, and the structured output it tries."""

    def __init__(self, gateway: Gateway, request: ModelRequest, on_token: OnToken | None) -> None:
        self._gateway = gateway
        self._request = request
        self._on_token = on_token
        self._cancellation = gateway.cancellation
        self._attempts = 0
        self._failures = 0
        self._started_ms = gateway.clock_ms()
        if request.schema is not None:
            mode = gateway.modes.best(gateway.model.server, gateway.model.name)
            self._request = replace(request, structured=mode)

    def run(self) -> Asked:
        while True:
            if self._cancellation is not None:
                self._cancellation.raise_if_requested()
            self._attempts += 1
            try:
                reply = complete_detached(
                    self._gateway.model, self._request, self._on_token, self._cancellation
                )
            except ModelError as error:
                self._prepare_next(error)
            else:
                self._remember_mode()
                return Asked(reply, self._told(self._record(reply)))

    def _prepare_next(self, error: ModelError) -> None:
        """Get ready for another attempt, or raise :class:`CallFailed`."""
        lacking = error.kind == "mode" and self._request.schema is not None
        mode = next_mode(self._request.structured) if lacking else None
        if mode is not None:
            self._tell(error, 0.0)
            self._request = replace(self._request, structured=mode)
            return
        self._failures += 1
        wait = self._wait_for(error)
        if wait is None:
            if isinstance(error, UnusableReply):
                self._remember_mode()
            reply = error.reply if isinstance(error, UnusableReply) else None
            raise CallFailed(error, self._told(self._record(reply), error.kind)) from error
        self._tell(error, wait)
        if self._cancellation is None:
            self._gateway.sleep(wait)
        elif self._cancellation.wait(wait):
            self._cancellation.raise_if_requested()

    def _wait_for(self, error: ModelError) -> float | None:
        """Seconds until the next attempt, or ``None``: there is none."""
        if not error.may_pass or self._failures >= MAX_ATTEMPTS:
            return None
        if error.retry_after is None:
            wait = self._gateway.jitter(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self._failures - 1)))
        else:
            wait = error.retry_after
        elapsed = (self._gateway.clock_ms() - self._started_ms) / 1_000
        return wait if elapsed + wait <= MAX_RETRY_SECONDS else None

    def _tell(self, error: ModelError, wait: float) -> None:
        if self._gateway.on_retry is not None:
            self._gateway.on_retry(Retry(self._attempts, error, wait))

    def _told(self, call: ModelCall, error: str | None = None) -> ModelCall:
        if self._gateway.on_call is not None:
            self._gateway.on_call(call, error)
        return call

    def _remember_mode(self) -> None:
        if self._request.schema is not None:
            self._gateway.modes.remember(
                self._gateway.model.server, self._gateway.model.name, self._request.structured
            )

    def _record(self, reply: ModelReply | None) -> ModelCall:
        """The record of the call, its use counted. ``None``: no reply came."""
        request, model, prices = self._request, self._gateway.model, self._gateway.prices
        input_tokens = reply.input_tokens if reply else None
        output_tokens = reply.output_tokens if reply else None
        if reply is not None:
            guessed_input = sum(len(message.content) for message in request.messages) // CHARACTERS_PER_TOKEN
            used_input = guessed_input if input_tokens is None else input_tokens
            used_output = len(reply.text) // CHARACTERS_PER_TOKEN if output_tokens is None else output_tokens
            self._gateway.budget.end(
                used_input, used_output, prices.cost(model.name, used_input, used_output)
            )
        return ModelCall(
            purpose=request.purpose,
            provider=model.provider,
            model=model.name,
            prompt_name=request.prompt_name,
            prompt_hash=request.prompt_hash,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=prices.cost(model.name, input_tokens, output_tokens),
            attempts=self._attempts,
            structured=request.structured if request.schema is not None else None,
            repairs=reply.repairs if reply else (),
            started_ms=self._started_ms,
            ended_ms=self._gateway.clock_ms(),
        )
