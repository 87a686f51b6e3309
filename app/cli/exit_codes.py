"""Every exit code there is, and what leads to it. Nowhere else is one written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from app.errors import ConfigurationError, InputError, PlanRejected, StackVMError

COMPLETED: Final = 0
"""The run completed, the command did what was asked."""
FAILED: Final = 1
"""The run failed, or the database, the disk or StackVM itself did."""
USAGE: Final = 2
"""Wrong usage, input or settings."""
WAITING: Final = 3
"""The run waits for somebody's decision."""
REJECTED: Final = 4
"""The checker rejected the plan."""
CANCELLED: Final = 5
"""Somebody called it off."""
INTERRUPTED: Final = 130
"""Ctrl-C, or paused by somebody; ``resume`` goes on."""

MEANINGS: Final[Mapping[int, str]] = {
    COMPLETED: "completed",
    FAILED: "failed",
    USAGE: "wrong usage or input",
    WAITING: "waits for somebody",
    REJECTED: "the plan was rejected by the checker",
    CANCELLED: "cancelled",
    INTERRUPTED: "interrupted or paused (`resume` continues)",
}

_BY_STATUS: Final[Mapping[str, int]] = {
    "completed": COMPLETED,
    "failed": FAILED,
    "waiting": WAITING,
    "cancelled": CANCELLED,
    "paused": INTERRUPTED,
}

_BY_ERROR: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (KeyboardInterrupt, INTERRUPTED),
    (click.Abort, CANCELLED),
    (click.UsageError, USAGE),
    (PlanRejected, REJECTED),
    (InputError, USAGE),
    (ConfigurationError, USAGE),
    (StackVMError, FAILED),
)
"""The first class that fits decides; whatever is not listed is a failure."""


def code_of_status(status: str) -> int:
    """The code for how a run ended."""
    return _BY_STATUS.get(status, FAILED)


def code_of_error(error: BaseException) -> int:
    """The code for what ended a command."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAILED)
