"""One call of a model in a thread of its own, so that who waits for it can walk away at any moment.

A provider waits where nobody can wake it: for a name to be resolved, for a connection, for a server that says
nothing. So the wait is another thread's, and ours is one that a cancellation or Ctrl-C ends. What was left behind
hangs up at the next token that arrives, else when the provider's own timeout is over; it never delays the
process's exit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar, cast

from app.errors import ModelError
from app.llm.base import Cancellation, Model, ModelReply, ModelRequest, OnToken
from app.log_fields import carried

Given = TypeVar("Given")

_POLL_SECONDS: Final = 0.1
"""How late a cancellation may be noticed while the model says nothing. So is Ctrl-C where it comes just before the
wait begins: Python wakes no wait for a signal that came earlier."""


class _LeftBehind(Exception):
    """Ends the provider's stream: nobody listens any more."""


def complete_detached(
    model: Model,
    request: ModelRequest,
    on_token: OnToken | None = None,
    cancellation: Cancellation | None = None,
) -> ModelReply:
    """As ``model.complete``; ``on_token`` is called in this thread, and never after this function is left.

    The text is streamed whether or not anybody listens: a server's silence means the same then, and one that is
    left behind hears of it. Raises what ``complete`` raises, what ``raise_if_requested`` raises, and
    ``KeyboardInterrupt``.
    """
    call: _Call[ModelReply] = _Call(lambda hear: model.complete(request, hear))
    try:
        while True:
            if cancellation is not None:
                cancellation.raise_if_requested()
            said = call.next(_POLL_SECONDS)
            if isinstance(said, _Ended):
                return said.result()
            if said is not None and on_token is not None:
                on_token(said)
    finally:
        call.leave()


def within(seconds: float, ask: Callable[[], Given]) -> Given:
    """What ``ask`` gives, or raises; ``ModelError`` where that takes longer."""
    said = _Call(lambda hear: ask()).next(seconds)
    if isinstance(said, _Ended):
        return said.result()
    raise ModelError("timeout", f"there was no answer within {seconds:g} s")


@dataclass(frozen=True, slots=True)
class _Ended(Generic[Given]):
    """How a call ended."""

    value: Given | None = None
    error: BaseException | None = None

    def result(self) -> Given:
        if self.error is not None:
            raise self.error
        return cast(Given, self.value)


class _Call(Generic[Given]):
    """The call under way, and what it has said that nobody has heard yet."""

    def __init__(self, run: Callable[[OnToken], Given]) -> None:
        self._run = run
        self._left = False
        self._said: SimpleQueue[str | _Ended[Given]] = SimpleQueue()
        threading.Thread(target=carried(self._go), name="stackvm-model", daemon=True).start()

    def next(self, seconds: float) -> str | _Ended[Given] | None:
        """The next token, or how it ended; ``None``: nothing within ``seconds``."""
        try:
            return self._said.get(timeout=seconds)
        except Empty:
            return None

    def leave(self) -> None:
        """Nothing more is wanted."""
        self._left = True

    def _go(self) -> None:
        try:
            self._said.put(_Ended(self._run(self._hear)))
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller waits
            self._said.put(_Ended(error=error))

    def _hear(self, token: str) -> None:
        if self._left:
            raise _LeftBehind
        self._said.put(token)
