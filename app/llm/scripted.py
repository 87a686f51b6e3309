"""Replies out of a file instead of a model: for examples, tests and demonstrations. It says so by its provider."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.errors import ModelError
from app.llm.base import ModelReply, ModelRequest, OnToken
from app.llm.replies import finish_reply
from app.llm.script import Entry, load_script
from app.plan.values import shorten

_TOKEN: Final = re.compile(r"\S*\s*")


class ScriptedModel:
    """The entries of a script; each answers once, in the script's order, unless it repeats. Safe between threads.

    ``source`` names the script in messages; ``sleep`` takes seconds.
    """

    provider = "scripted"

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        name: str = "scripted",
        source: str = "the script",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.server = source
        self._entries = list(entries)
        self._sleep = sleep
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: Path, *, name: str = "scripted") -> ScriptedModel:
        """The script in a YAML file. Raises ``ConfigurationError``."""
        return cls(load_script(path), name=name, source=str(path))

    def __repr__(self) -> str:
        return f"ScriptedModel({self.name!r}, source={self.server!r})"

    def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
        """See :class:`app.llm.base.Model`. Kind ``refused``: the script has nothing (more) for this request."""
        entry = self._take(request)
        if entry.delay:
            self._sleep(entry.delay)
        if entry.failure is not None:
            failure = entry.failure
            raise ModelError(failure.kind, failure.message, retry_after=failure.retry_after)
        if on_token is not None:
            for token in _TOKEN.findall(entry.text):
                if token:
                    on_token(token)
        reply = ModelReply(
            text=entry.text,
            value=None,
            model=self.name,
            provider=self.provider,
            input_tokens=entry.input_tokens,
            output_tokens=entry.output_tokens,
            finish_reason="stop",
        )
        return finish_reply(request, reply)

    def offered(self, timeout: float) -> frozenset[str]:
        """See :class:`app.llm.base.Model`: a script answers under any name."""
        return frozenset({self.name})

    def _take(self, request: ModelRequest) -> Entry:
        """The first entry that answers the request; used up unless it repeats."""
        with self._lock:
            for index, entry in enumerate(self._entries):
                if _answers(entry, request):
                    if not entry.repeat:
                        del self._entries[index]
                    return entry
        prompt = shorten(_last_of_user(request).strip().partition("\n")[0])
        raise ModelError(
            "refused",
            f"no scripted reply for purpose {request.purpose!r}: {prompt!r}",
            hint=f"add one to {self.server}",
        )


def _answers(entry: Entry, request: ModelRequest) -> bool:
    if entry.purpose not in (None, request.purpose):
        return False
    if entry.pattern is None:
        return True
    text = (
        "\n".join(message.content for message in request.messages) if entry.whole else _last_of_user(request)
    )
    return entry.pattern.search(text) is not None


def _last_of_user(request: ModelRequest) -> str:
    return next((message.content for message in reversed(request.messages) if message.role == "user"), "")
