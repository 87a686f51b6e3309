"""Functions that plans may call. ``from app.tools import tool, ToolContext`` is all a tool file needs."""

from __future__ import annotations

from app.plan.model import Retry
from app.tools.base import EFFECTS, Effect, Tool
from app.tools.context import Cancellation, Cancelled, NotPerformed, ToolContext
from app.tools.decorator import tool

__all__ = [
    "EFFECTS",
    "Cancellation",
    "Cancelled",
    "Effect",
    "NotPerformed",
    "Retry",
    "Tool",
    "ToolContext",
    "tool",
]
