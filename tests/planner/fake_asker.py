"""A model that gives prepared replies, a few tools, and plans. Used by the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.llm.base import Asked, CallFailed, ModelCall, ModelReply, ModelRequest, OnToken, UnusableReply
from app.tools.decorator import tool
from app.tools.registry import Catalog, Registry


class FakeAsker:
    """Gives ``replies`` one after the other and keeps what it was asked. An exception among them is raised."""

    def __init__(self, *replies: Any, finish_reason: str = "stop") -> None:
        self.replies = list(replies)
        self.requests: list[ModelRequest] = []
        self.finish_reason = finish_reason

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, UnusableReply):
            raise CallFailed(reply, self.call(request))
        if isinstance(reply, BaseException):
            raise reply
        text, value = reply if isinstance(reply, tuple) else (reply, None)
        if not isinstance(text, str):
            text = json.dumps(text)
        if on_token is not None:
            on_token(text)
        answer = ModelReply(text, value, "m", "fake", 10, 20, finish_reason=self.finish_reason)
        return Asked(answer, self.call(request))

    def call(self, request: ModelRequest) -> ModelCall:
        number = len(self.requests)
        return ModelCall(
            request.purpose, "fake", "m", request.prompt_name, request.prompt_hash,
            10, 20, None, 1, "json_schema", (), number * 1000, number * 1000 + 500,
        )  # fmt: skip

    def said(self, index: int = -1) -> str:
        """All that a request said, the roles before their texts."""
        return "\n".join(f"[{message.role}] {message.content}" for message in self.requests[index].messages)


def refusal(text: str = "") -> UnusableReply:
    """An answer that whoever asks the model already knows to be of no use."""
    reply = ModelReply(text, None, "m", "fake", 10, 20)
    return UnusableReply("the model refused: no", reply, hint="ask otherwise")


@tool(effect="read", aliases=["find"])
def search(query: str, limit: int = 10) -> list[dict[str, str]]:
    """Find pages by their words."""
    return []


@tool(effect="write")
def save(path: str, text: str) -> dict[str, int]:
    """Keep a text."""
    return {}


@tool
def format_disk(really: bool) -> None:
    """Erase everything, for good."""


def catalog(*allowed: str) -> Catalog:
    """The tools as a namespace sees them that allows these; by default all but ``format_disk``."""
    registry = Registry()
    for each in (search, save, format_disk):
        registry.add(each)
    return registry.catalog(list(allowed or ("search", "save")))


def assign(seq_no: int, **values: Any) -> dict[str, Any]:
    return {"seq_no": seq_no, "type": "assign", "parameters": values}


def calling(seq_no: int, name: str, params: Mapping[str, Any], outputs: Any = None) -> dict[str, Any]:
    parameters: dict[str, Any] = {"tool_name": name, "tool_params": dict(params)}
    if outputs is not None:
        parameters["output_vars"] = outputs
    return {"seq_no": seq_no, "type": "calling", "parameters": parameters}


def plan(*steps: Mapping[str, Any], reasoning: str = "so") -> dict[str, Any]:
    return {"version": 1, "reasoning": reasoning, "steps": list(steps)}


GOOD = plan(calling(1, "search", {"query": "birds"}, "pages"), assign(2, final_answer="${pages}"))
UNSET = plan(calling(1, "search", {"query": "birds"}, "pages"), assign(2, final_answer="${page}"))
"""Reads a variable that nothing sets: P005."""
