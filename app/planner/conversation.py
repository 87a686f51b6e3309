"""Asking a model again with what was wrong before, and an account of what every asking cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import ModelError
from app.llm.base import Asker, CallFailed, Message, ModelCall, ModelReply, ModelRequest, OnToken, Purpose
from app.planner.data import echo
from app.planner.prompts import Prompt

CUT_OFF: Final = "the reply was cut off at the model's limit of output"
_CUT_REASONS: Final = ("length", "max_tokens")


@dataclass(frozen=True, slots=True)
class Said:
    """One reply. ``unusable`` says why nothing can be made of it, where whoever asked the model knows that."""

    reply: ModelReply
    call: ModelCall
    unusable: ModelError | None = None

    @property
    def cut_off(self) -> bool:
        """Whether the model stopped because it may not write more."""
        return self.reply.finish_reason in _CUT_REASONS


class Conversation:
    """The messages so far. ``calls`` are all that were made."""

    def __init__(
        self,
        asker: Asker,
        purpose: Purpose,
        prompt: Prompt,
        *,
        schema: Mapping[str, Any] | None = None,
        schema_name: str = "reply",
        on_token: OnToken | None = None,
    ) -> None:
        self.calls: list[ModelCall] = []
        self._asker = asker
        self._purpose = purpose
        self._prompt = prompt
        self._messages = prompt.messages
        self._schema = schema
        self._schema_name = schema_name
        self._on_token = on_token

    def ask(self) -> Said:
        """The model's next reply. Raises ``ModelError``, with all calls so far, where none came."""
        try:
            asked = self._asker.ask(self._request(), self._on_token)
            said = Said(asked.reply, asked.call)
        except CallFailed as error:
            if error.reply is None or error.call is None:
                raise self._accounted(error, [error.call] if error.call else []) from None
            said = Said(error.reply, error.call, error)
        except ModelError as error:
            raise self._accounted(error, error.calls) from None
        self.calls.append(said.call)
        return said

    def send_back(self, said: Said, prompt: Prompt, limit: int) -> None:
        """Give a reply back, at most ``limit`` characters of it, with what is wrong with it."""
        self._prompt = prompt
        self._messages = (
            *self._messages,
            Message("assistant", echo(said.reply.text, limit)),
            *prompt.messages,
        )

    def _request(self) -> ModelRequest:
        return ModelRequest(
            self._purpose,
            self._messages,
            self._schema,
            self._schema_name,
            prompt_name=self._prompt.name,
            prompt_hash=self._prompt.hash,
        )

    def _accounted(self, error: ModelError, last: Sequence[ModelCall]) -> ModelError:
        error.calls = (*self.calls, *last)
        return error
