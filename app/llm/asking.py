"""Asking for JSON in words, for servers whose JSON-schema mode is missing."""

from __future__ import annotations

from typing import Final

from app.llm.base import Message, ModelRequest
from app.plan.values import to_json_text

_WORDS: Final = (
    "Answer with one JSON document and nothing else: no explanation, no code fence. "
    "It must be valid under this JSON schema:\n"
)


def messages_of(request: ModelRequest) -> list[dict[str, str]]:
    """The messages as chat servers take them, the schema told in words where no server mode will enforce it.

    The words go to the end of the last message: some models read one system message at most, and all read the end.
    """
    messages = list(request.messages)
    if request.schema is not None and request.structured != "json_schema":
        last = messages[-1]
        messages[-1] = Message(last.role, f"{last.content}\n\n{_WORDS}{to_json_text(dict(request.schema))}")
    return [{"role": message.role, "content": message.content} for message in messages]
