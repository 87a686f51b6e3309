"""A server of OpenAI's chat protocol with canned answers."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Event
from typing import Any

from fake_server import Answer, Asked, FakeServer

EVENTS = {"content-type": "text/event-stream"}


class FakeOpenAI(FakeServer):
    """Builds answers as OpenAI gives them; a test puts them in order, or :meth:`on` a request."""

    def says(
        self,
        text: str | None,
        *,
        usage: tuple[int, int] | None = (7, 3),
        reason: str = "stop",
        go_on: Event | None = None,
        **message: Any,
    ) -> None:
        """The text as a whole or as a stream, as it is asked for; ``message`` adds fields to the message.

        A stream waits for ``go_on`` after its first piece of text.
        """

        def answer(body: dict[str, Any]) -> Answer:
            if body.get("stream"):
                return replace(self.stream(body, text or "", usage, reason, message), go_on=go_on)
            choice = {
                "index": 0,
                "finish_reason": reason,
                "message": {"role": "assistant", "content": text, **message},
            }
            document = {
                "id": "c1",
                "object": "chat.completion",
                "created": 1,
                "model": "m-1",
                "choices": [choice],
            }
            if usage:
                document["usage"] = _usage(usage)
            return Answer(pieces=[json.dumps(document)])

        self.put(answer)

    def stream(
        self,
        body: dict[str, Any],
        text: str,
        usage: tuple[int, int] | None,
        reason: str,
        message: dict[str, Any],
    ) -> Answer:
        pieces = [chunk({"role": "assistant", "content": ""})]
        pieces += [chunk({"content": text[at : at + 4]}) for at in range(0, len(text), 4)]
        pieces += [chunk(dict(message))] if message else []
        pieces.append(chunk({}, reason))
        if usage and body.get("stream_options", {}).get("include_usage"):
            pieces.append(_event({**_CHUNK, "choices": [], "usage": _usage(usage)}))
        return Answer(pieces=[*pieces, "data: [DONE]\n\n"], headers=EVENTS)

    def lists(self, *names: str) -> None:
        """The models there are."""
        models = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in names]
        self.put(Answer(pieces=[json.dumps({"object": "list", "data": models})]))

    def breaks_off(self) -> None:
        """A stream that ends in the middle of a text, in the middle of the protocol."""
        self.put(Answer(pieces=[chunk({"content": "half a"})], headers=EVENTS, cut=True))

    def ends_early(self) -> None:
        """A stream that ends in the middle of a text, though properly for HTTP."""
        self.put(Answer(pieces=[chunk({"content": "half a"})], headers=EVENTS))

    def fails_within(self, message: str) -> None:
        """An error as an event, when the reply had begun."""
        error = _event({"error": {"message": message, "type": "server_error", "code": None}})
        self.put(Answer(pieces=[chunk({"content": "half a"}), error], headers=EVENTS))

    def drips(self, pause: float) -> None:
        """A stream with ``pause`` seconds between its chunks."""
        pieces = [chunk({"content": "slow"}), chunk({"content": "ly"}), chunk({}, "stop"), "data: [DONE]\n\n"]
        self.put(Answer(pieces=pieces, headers=EVENTS, pause=pause))

    def refuses(
        self, status: int, message: str, *, headers: dict[str, str] | None = None, **error: Any
    ) -> None:
        self.put(self.refusal(status, message, headers, **error))

    def refusal(
        self, status: int, message: str, headers: dict[str, str] | None = None, **error: Any
    ) -> Answer:
        body = json.dumps({"error": {"message": message, "type": "x", "param": None, "code": None, **error}})
        return Answer(status=status, pieces=[body], headers=headers or {})

    def mode_of(self, asked: Asked) -> str:
        form = asked.body.get("response_format")
        return form["type"] if form else "text"


_CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}


def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
    return _event({**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document)}\n\n"


def _usage(usage: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
