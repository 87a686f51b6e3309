"""Tools of every effect class: functions of their arguments that tell the world when they begin and end.

``shaky_…`` and ``shy_…`` fail before they succeed, as often as their arguments say; what begins with ``bad_`` fails
for some arguments, always.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from chaos.world import (
    BEGUN,
    DONE,
    RAISED,
    REFUSED,
    Place,
    begun_before,
    note,
    number,
    read_world,
    seconds_of,
)

from . import NotPerformed, ToolContext, tool


class Call:
    """One attempt of a call."""

    def __init__(self, context: ToolContext, name: str, effect: str, **arguments: Any) -> None:
        place = Place(context.task_id, context.branch, context.step, context.visit, context.item)
        self.name, self.arguments, self.place = name, arguments, place
        self.fields = {
            "tool": name,
            "effect": effect,
            "key": context.idempotency_key,
            "place": place,
            "arguments": arguments,
            "durable": effect in ("write", "irreversible"),
        }
        self.earlier = (
            begun_before(read_world(), place) if name.startswith(("shaky", "shy", "stubborn")) else 0
        )
        note(BEGUN, **self.fields)
        self.seconds = seconds_of(name, arguments)

    def fails(self, times: int) -> bool:
        """Whether this attempt is one of the first, which fail: as many as follow from the arguments."""
        return self.earlier < number("fails", self.arguments) % (times + 1)

    @property
    def is_bad(self) -> bool:
        return number("bad", self.arguments) % 2 == 0

    def end(self) -> int:
        """It takes effect."""
        value = number(self.name, self.arguments)
        note(DONE, value=value, **self.fields)
        return value

    def raised(self) -> RuntimeError:
        note(RAISED, **self.fields)
        return RuntimeError("no luck")

    def refused(self) -> NotPerformed:
        note(REFUSED, **self.fields)
        return NotPerformed("not now")


@tool(effect="pure")
def mix(a: Any, b: Any, context: ToolContext) -> int:
    """A function of its arguments."""
    call = Call(context, "mix", "pure", a=a, b=b)
    time.sleep(call.seconds)
    return call.end()


@tool(effect="read")
def look(key: Any, context: ToolContext) -> int:
    """Look something up."""
    call = Call(context, "look", "read", key=key)
    time.sleep(call.seconds)
    return call.end()


@tool(effect="read")
async def alook(key: Any, context: ToolContext) -> int:
    """Look something up, as a coroutine."""
    call = Call(context, "alook", "read", key=key)
    await asyncio.sleep(call.seconds)
    return call.end()


@tool(effect="read", retry={"max_attempts": 3, "backoff": 0.001})
def shaky_look(key: Any, context: ToolContext) -> int:
    """Look something up; fails up to twice before."""
    call = Call(context, "shaky_look", "read", key=key)
    time.sleep(call.seconds)
    if call.fails(2):
        raise call.raised()
    return call.end()


@tool(effect="read")
def stubborn_look(key: Any, context: ToolContext) -> int:
    """Look something up; the first attempt of some never succeeds."""
    call = Call(context, "stubborn_look", "read", key=key)
    time.sleep(call.seconds)
    if call.fails(1):
        raise call.raised()
    return call.end()


@tool(effect="read")
def bad_look(key: Any, context: ToolContext) -> int:
    """Look something up; never succeeds for some."""
    call = Call(context, "bad_look", "read", key=key)
    time.sleep(call.seconds)
    if call.is_bad:
        raise call.raised()
    return call.end()


@tool(effect="read")
def doomed_look(key: Any, context: ToolContext) -> int:
    """Look something up; never succeeds."""
    call = Call(context, "doomed_look", "read", key=key)
    time.sleep(call.seconds)
    raise call.raised()


@tool(effect="write")
def put(key: Any, context: ToolContext) -> int:
    """Store something."""
    call = Call(context, "put", "write", key=key)
    time.sleep(call.seconds)
    return call.end()


@tool(effect="write", retry={"max_attempts": 3, "backoff": 0.001})
async def shaky_put(key: Any, context: ToolContext) -> int:
    """Store something; fails up to twice before."""
    call = Call(context, "shaky_put", "write", key=key)
    await asyncio.sleep(call.seconds)
    if call.fails(2):
        raise call.raised()
    return call.end()


@tool(effect="irreversible")
def pay(amount: Any, context: ToolContext) -> int:
    """Pay."""
    call = Call(context, "pay", "irreversible", amount=amount)
    time.sleep(call.seconds / 2)
    value = call.end()
    time.sleep(call.seconds / 2)
    return value


@tool(effect="irreversible")
async def apay(amount: Any, context: ToolContext) -> int:
    """Pay, as a coroutine."""
    call = Call(context, "apay", "irreversible", amount=amount)
    await asyncio.sleep(call.seconds)
    return call.end()


@tool(effect="irreversible", retry={"max_attempts": 3, "backoff": 0.001})
def shy_pay(amount: Any, context: ToolContext) -> int:
    """Pay; says up to twice that it did not."""
    call = Call(context, "shy_pay", "irreversible", amount=amount)
    time.sleep(call.seconds)
    if call.fails(2):
        raise call.refused()
    return call.end()


@tool(effect="irreversible")
def bad_pay(amount: Any, context: ToolContext) -> int:
    """Pay; some end in an error, and nobody knows whether they paid."""
    call = Call(context, "bad_pay", "irreversible", amount=amount)
    time.sleep(call.seconds)
    if call.is_bad:
        raise call.raised()
    return call.end()
