"""A server of Ollama's protocol with canned answers."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

from fake_server import Answer, Asked, FakeServer


class FakeOllama(FakeServer):
    """Builds answers as Ollama gives them; a test puts them in order, or :meth:`on` a request."""

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
            counts = dict(zip(("prompt_eval_count", "eval_count"), usage or (), strict=False))
            if not body["stream"]:
                return Answer(pieces=[line(text or "", message, done=True, done_reason=reason, **counts)])
            lines = [line(text[at : at + 4]) for at in range(0, len(text or ""), 4)] if text else []
            lines.append(line("", message, done=True, done_reason=reason, **counts))
            headers = {"content-type": "application/x-ndjson"}
            return Answer(pieces=lines, headers=headers, hold=0, go_on=go_on)

        self.put(answer)

    def lists(self, *names: str) -> None:
        """The models there are."""
        models = [{"model": name, "size": 1} for name in names]
        self.put(Answer(pieces=[json.dumps({"models": models})]))

    def breaks_off(self) -> None:
        """A stream that ends in the middle of a line."""
        self.put(Answer(pieces=[line("half a"), '{"model": "m-1", "mess'], cut=True))

    def ends_early(self) -> None:
        """A stream that ends without its last line, though properly for HTTP."""
        self.put(Answer(pieces=[line("half a")]))

    def fails_within(self, message: str) -> None:
        """An error as a line, when the reply had begun."""
        self.put(Answer(pieces=[line("half a"), json.dumps({"error": message}) + "\n"]))

    def drips(self, pause: float) -> None:
        """A stream with ``pause`` seconds between its lines."""
        pieces = [line("slow"), line("ly"), line("", done=True, done_reason="stop")]
        self.put(Answer(pieces=pieces, pause=pause))

    def refuses(self, status: int, message: str, *, headers: dict[str, str] | None = None, **_: Any) -> None:
        self.put(self.refusal(status, message, headers))

    def refusal(self, status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
        return Answer(status=status, pieces=[json.dumps({"error": message})], headers=headers or {})

    def mode_of(self, asked: Asked) -> str:
        form = asked.body.get("format")
        return "text" if not form else "json_object" if form == "json" else "json_schema"


def line(text: str, message: dict[str, Any] | None = None, *, done: bool = False, **fields: Any) -> str:
    said = {"role": "assistant", "content": text, **(message or {})}
    return (
        json.dumps(
            {"model": "m-1", "created_at": "2024-01-01T00:00:00Z", "message": said, "done": done, **fields}
        )
        + "\n"
    )
