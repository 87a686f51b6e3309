"""Every provider behind one face, and the requests they are asked in these tests."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from app.errors import ModelError
from app.llm.base import Message, Model, ModelRequest
from app.llm.script import Entry, Failure
from app.llm.scripted import ScriptedModel

KEY = "sk-very-secret-key-0123456789"
TIMEOUT = 30.0
"""Long, so that a busy machine makes no test fail; tests of silence take a shorter one."""


class Provider(Protocol):
    """A model and what its server will say next."""

    model: Model

    def says(self, text: str | None, *, usage: tuple[int, int] | None = (7, 3)) -> None: ...

    def limits_rate(self, seconds: float) -> None: ...


class Served:
    """A model of a fake server."""

    def __init__(self, server: Any, model: Model) -> None:
        self.server = server
        self.model = model
        self.says = server.says

    def limits_rate(self, seconds: float) -> None:
        self.server.refuses(429, "slow down", headers={"retry-after": f"{seconds:g}"})


class Scripted:
    """A model of a script, which grows as the test goes on."""

    def __init__(self) -> None:
        self.model = ScriptedModel([], source="test")

    def says(self, text: str | None, *, usage: tuple[int, int] | None = (7, 3)) -> None:
        counts = usage or (None, None)
        self.model._entries.append(Entry(None, None, False, text or "", None, *counts, 0.0, False))

    def limits_rate(self, seconds: float) -> None:
        failure = Failure("rate_limit", "slow down", seconds)
        self.model._entries.append(Entry(None, None, False, "", failure, None, None, 0.0, False))


VERDICT = {
    "type": "object",
    "properties": {"result": {"type": "boolean"}},
    "required": ["result"],
    "additionalProperties": False,
}


def asking(text: str = "Say it.", **fields: Any) -> ModelRequest:
    messages = (Message("system", "You are terse."), Message("user", text))
    return ModelRequest("generate", messages, **fields)


def judging(**fields: Any) -> ModelRequest:
    return asking("Is it so?", schema=VERDICT, schema_name="verdict", **fields)


def failure(model: Model, request: ModelRequest | None = None, *, stream: bool = False) -> ModelError:
    with pytest.raises(ModelError) as caught:
        model.complete(request or asking(), (lambda token: None) if stream else None)
    return caught.value
