"""What a model is asked and what it gives: plain data, and the Protocol that every provider fulfils."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from app.errors import ModelError
from app.plan.model import Json

Role: TypeAlias = Literal["system", "user", "assistant"]
Purpose: TypeAlias = Literal["plan", "revise", "generate", "judge"]
Structured: TypeAlias = Literal["json_schema", "json_object", "text"]
"""How a reply was made to be JSON: by the server's schema mode, its JSON mode, or by asking and parsing."""

OnToken: TypeAlias = Callable[[str], None]


class Cancellation(Protocol):
    """What a model call needs of :class:`app.tools.context.Cancellation`."""

    def wait(self, seconds: float | None = None) -> bool:
        """Sleep until asked to stop or until the seconds are over; whether asked."""

    def raise_if_requested(self) -> None:
        """Raise if asked to stop."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempt ``attempt`` was in vain, and another follows in ``wait_seconds``. Tokens it streamed are void."""

    attempt: int
    error: ModelError
    wait_seconds: float


OnRetry: TypeAlias = Callable[[Retry], None]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """``schema``: the reply is to be JSON that fits it; ``schema_name`` names it to the server.

    ``prompt_name`` and ``prompt_hash`` say which prompt file the messages were made from, for the record.
    ``structured`` says how to make it JSON where there is a schema; the gateway sets it to what the server can do.
    """

    purpose: Purpose
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    schema_name: str = "reply"
    max_output_tokens: int | None = None
    prompt_name: str | None = None
    prompt_hash: str | None = None
    structured: Structured = "json_schema"


@dataclass(frozen=True, slots=True)
class ModelReply:
    """``text`` as it came; ``value`` is the parsed JSON where a schema was given, ``repairs`` what that took.

    Whether the value fits the schema is for the caller to see. Unknown token counts are ``None``.
    """

    text: str
    value: Json
    model: str
    provider: str
    input_tokens: int | None
    output_tokens: int | None
    structured: Structured | None = None
    finish_reason: str | None = None
    repairs: tuple[str, ...] = ()


class UnusableReply(ModelError):
    """The model answered, and what it said is of no use (kind ``garbage``). ``reply`` holds text and tokens."""

    def __init__(self, message: str, reply: ModelReply, *, hint: str | None = None) -> None:
        super().__init__("garbage", message, hint=hint)
        self.reply = reply


class Model(Protocol):
    """One model of one provider."""

    @property
    def provider(self) -> str:
        """``openai``, ``ollama``, ``scripted``."""

    @property
    def name(self) -> str:
        """The model's own name."""

    @property
    def server(self) -> str:
        """Where it is, for messages and for what is remembered of it; without secrets."""

    def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
        """One call, no retries. With ``on_token`` the text is streamed as it comes.

        Raises :class:`app.errors.ModelError`, whose fields say whether trying again may help.
        """

    def offered(self, timeout: float) -> frozenset[str] | None:
        """The names of the models its server offers, as they may be written; ``None``: it does not say.

        The server may be silent for ``timeout`` seconds. Raises :class:`app.errors.ModelError`.
        """


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What a call cost and how it was made, for the record. Unknown counts and costs are ``None``, never zero.

    ``repairs`` names what was mended in a reply that was not quite JSON. Times are epoch milliseconds.
    """

    purpose: Purpose
    provider: str
    model: str
    prompt_name: str | None
    prompt_hash: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    attempts: int
    structured: Structured | None
    repairs: tuple[str, ...]
    started_ms: int
    ended_ms: int

    def to_json(self) -> dict[str, Json]:
        """The call as it stands in a record."""
        return {
            "purpose": self.purpose,
            "provider": self.provider,
            "model": self.model,
            "prompt": self.prompt_name,
            "prompt_hash": self.prompt_hash,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost,
            "attempts": self.attempts,
            "structured": self.structured,
            "repairs": list(self.repairs),
            "started_ms": self.started_ms,
            "ended_ms": self.ended_ms,
        }


OnCall: TypeAlias = Callable[[ModelCall, str | None], None]
"""Takes a call that is over, and the kind of its error where it was in vain."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who follows a model while it answers: hears each token, is told of retries and of the call that is over,
    and may end it."""

    on_token: OnToken | None = None
    on_retry: OnRetry | None = None
    cancellation: Cancellation | None = None
    on_call: OnCall | None = None


UNWATCHED: Final = Watch()


class CallFailed(ModelError):
    """A call that failed for good: the last attempt's error, with what it cost all the same.

    ``call`` is ``None`` where nothing was sent (a budget was used up). ``reply`` is there for kind ``garbage``.
    """

    def __init__(self, error: ModelError, call: ModelCall | None) -> None:
        super().__init__(error.kind, error.message, hint=error.hint, retry_after=error.retry_after)
        self.call = call
        self.calls = (call,) if call is not None else ()
        self.reply = error.reply if isinstance(error, UnusableReply) else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply and what it cost."""

    reply: ModelReply
    call: ModelCall


class Asker(Protocol):
    """A model behind retries, counts and budgets."""

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        """Ask until there is an answer or no use in asking. Raises ``ModelError``."""


class WatchedAsker(Asker, Protocol):
    """An asker whose calls somebody may follow."""

    def followed_by(self, watch: Watch) -> Asker:
        """The same for calls that ``watch`` follows; its ``on_token`` is for :meth:`ask`."""
