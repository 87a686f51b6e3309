"""What the model calls of a run may use up, checked before each call."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal

from app.errors import ModelError
from app.llm.base import ModelCall


@dataclass(frozen=True, slots=True)
class Limits:
    """``None``: no limit. ``cost`` is in the currency of the price list."""

    model_calls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


class Budget:
    """Limits and what of them is used, shared by all models of a run. Safe between threads.

    A call that is running when a limit is reached ends; the next is refused. What a server does not say is put at the
    ``guess`` of whoever adds the call, here only: records keep unknown counts unknown.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._calls = 0
        self._input_tokens = 0
        self._output_tokens = 0
        self._cost = Decimal(0)

    def begin(self, model: str, *, priced: bool) -> None:
        """Count a call that is about to be made. Raises ``ModelError`` of kind ``budget`` that names the limit."""
        with self._lock:
            if self.limits.cost is not None and not priced:
                message = f"limit cost: model {model!r} has no price, so the limit can't be kept"
                raise ModelError("budget", message, hint="add the model to the file MODEL_PRICES names")
            self._refuse_if_used("model_calls", self._calls, self.limits.model_calls)
            self._refuse_if_used("input_tokens", self._input_tokens, self.limits.input_tokens)
            self._refuse_if_used("output_tokens", self._output_tokens, self.limits.output_tokens)
            self._refuse_if_used("cost", float(self._cost), self.limits.cost)
            self._calls += 1

    def end(self, input_tokens: int, output_tokens: int, cost: float | None) -> None:
        """Add what the call that was begun has used."""
        with self._lock:
            self._input_tokens += input_tokens
            self._output_tokens += output_tokens
            self._cost += Decimal(str(cost or 0))

    def add(self, call: ModelCall) -> None:
        """Add a call of the past, as when a run is resumed."""
        with self._lock:
            self._calls += 1
        self.end(call.input_tokens or 0, call.output_tokens or 0, call.cost)

    def resume(
        self, calls: int, input_tokens: int | None, output_tokens: int | None, cost: float | None
    ) -> None:
        """Add what a run had used before this process; what is unknown counts as nothing."""
        with self._lock:
            self._calls += calls
        self.end(input_tokens or 0, output_tokens or 0, cost)

    def _refuse_if_used(self, name: str, used: float, limit: float | None) -> None:
        if limit is not None and used >= limit:
            raise ModelError(
                "budget",
                f"limit reached: {name}: {used:g} of {limit:g} used",
                hint=f"MAX_{name.upper()} sets it",
            )
