"""Tools that the workloads call: they do as good as nothing or wait, so that the machine around them is measured."""

from __future__ import annotations

import time
from typing import Any

from app.tools.base import Tool
from app.tools.decorator import tool
from benchmarks.workloads import texts


def note_tool() -> Tool:
    """A ``write`` tool that gives back what it is given."""

    @tool(effect="write", version="1")
    def note(text: str) -> str:
        """Give the text back."""
        return text

    return note


def large_tool(size: int) -> Tool:
    """A ``read`` tool that gives a text of ``size`` bytes."""
    [content] = texts(1, size)

    @tool(effect="read", version="1")
    def read_large() -> str:
        """Give a large text."""
        return content

    return read_large


def echo_tool() -> Tool:
    """A ``read`` tool that gives back what it is given."""

    @tool(effect="read", version="1")
    def echo(text: str) -> str:
        """Give the text back."""
        return text

    return echo


def pause_tool() -> Tool:
    """A ``read`` tool that waits, as for an answer; ``after`` is what it needs to be there before."""

    @tool(effect="read", version="1")
    def pause(seconds: float, after: Any = None) -> float:
        """Wait, and say for how long."""
        time.sleep(seconds)
        return seconds

    return pause
