"""Answers that must have a form: asked once, and once more with the problem named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from app.errors import ModelError
from app.llm.base import Asker, ModelCall, ModelReply, OnRetry, OnToken, Purpose, Retry
from app.plan.json_text import JsonTextError
from app.plan.model import Json
from app.plan.repair import Repaired, repair_json
from app.planner.conversation import Conversation, Said
from app.planner.prompts import Prompt, retry_prompt

_ATTEMPTS: Final = 2
_ECHO_CHARACTERS: Final = 20_000
"""Of the unusable reply that is sent back."""


class Unusable(Exception):
    """Raised by a reader: the answer does not have the form; the message says on one line what is wrong."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` came with the last of ``calls``; the others were in vain."""

    value: Json
    calls: tuple[ModelCall, ...]


Reader: TypeAlias = Callable[[Said], Repaired]
"""The value of a reply, with what had to be repaired. Raises :class:`Unusable`."""


def ask_for(
    asker: Asker,
    prompt: Prompt,
    purpose: Purpose,
    read: Reader,
    *,
    schema: Mapping[str, Any] | None = None,
    schema_name: str = "reply",
    on_token: OnToken | None = None,
    on_retry: OnRetry | None = None,
) -> Answer:
    """Ask, and once more where ``read`` refuses the answer, which ``on_retry`` is told.

    Raises ``ModelError``, whose ``calls`` are those that were made: ``garbage`` where no answer was of use.
    """
    conversation = Conversation(
        asker, purpose, prompt, schema=schema, schema_name=schema_name, on_token=on_token
    )
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt and on_retry is not None:
            on_retry(Retry(attempt, _garbage(problem, conversation.calls), 0.0))
        said = conversation.ask()
        try:
            answer = _read(said, read)
        except Unusable as error:
            problem = str(error)
            conversation.send_back(said, retry_prompt(problem), _ECHO_CHARACTERS)
        else:
            last = _with_repairs(said.call, answer.repairs)
            return Answer(answer.value, (*conversation.calls[:-1], last))
    raise _garbage(problem, conversation.calls)


def read_object(reply: ModelReply) -> tuple[dict[str, Json], tuple[str, ...]]:
    """The JSON object of a reply and what was repaired. Raises :class:`Unusable`."""
    try:
        repaired = repair_json(reply.text) if reply.value is None else Repaired(reply.value, reply.repairs)
    except JsonTextError as error:
        raise Unusable(str(error)) from None
    if not isinstance(repaired.value, dict):
        raise Unusable("it is not a JSON object")
    return repaired.value, repaired.repairs


def _read(said: Said, read: Reader) -> Repaired:
    if said.unusable is not None:
        raise Unusable(str(said.unusable))
    return read(said)


def _with_repairs(call: ModelCall, repairs: tuple[str, ...]) -> ModelCall:
    """The call with what was repaired, each named once: whoever asked may have named it before."""
    return replace(call, repairs=tuple(dict.fromkeys((*call.repairs, *repairs))))


def _garbage(problem: str, calls: list[ModelCall]) -> ModelError:
    error = ModelError("garbage", f"the model's answer can't be used: {problem}")
    error.calls = tuple(calls)
    return error
