"""Tools that the workloads call: they do as good as nothing, so that the machine around them is measured."""

from __future__ import annotations

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
