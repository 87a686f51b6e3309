"""What every provider does with a finished reply: refuse what is none, and read the JSON in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.errors import InputError
from app.llm.base import ModelReply, ModelRequest, UnusableReply
from app.plan.repair import repair_json, repair_plan

_CUT_REASONS = ("length", "max_tokens")


def finish_reply(request: ModelRequest, reply: ModelReply, tool_calls: Sequence[str] = ()) -> ModelReply:
    """The reply with its ``value`` where the request has a schema. ``tool_calls``: names of tools the model called.

    Raises :class:`UnusableReply`: nothing was said, a tool was called instead, or there is no JSON.
    """
    cut = reply.finish_reason in _CUT_REASONS
    if not reply.text.strip():
        raise _empty(reply, tool_calls, cut)
    if request.schema is None:
        return reply
    reply = replace(reply, structured=request.structured)
    read = repair_plan if request.purpose in ("plan", "revise") else repair_json
    try:
        repaired = read(reply.text)
    except InputError as error:
        message = f"the reply can't be read as JSON: {error.message}"
        hint = "it was cut off: allow more output tokens" if cut else error.hint
        raise UnusableReply(message, reply, hint=hint) from None
    return replace(reply, value=repaired.value, repairs=repaired.repairs)


def _empty(reply: ModelReply, tool_calls: Sequence[str], cut: bool) -> UnusableReply:
    if tool_calls:
        names = ", ".join(name[:60] for name in tool_calls[:3])
        return UnusableReply(
            f"the model called a tool ({names}) instead of answering",
            reply,
            hint="no tools were offered to it",
        )
    if cut:
        return UnusableReply(
            "the model used up its output tokens before it said anything",
            reply,
            hint="allow more output tokens",
        )
    return UnusableReply("the reply is empty", reply)
