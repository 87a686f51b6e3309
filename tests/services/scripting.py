"""Replies of a scripted model, and what a test asks of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.db.base import TaskRow
from app.services.inspect import read_log
from app.services.workplace import Workplace

Script = Callable[..., Workplace]
"""The fixture ``scripted``: makes a workplace whose model says the given replies."""


def reply(purpose: str, content: Any, tokens: tuple[int, int] | None = (100, 10)) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    entry: dict[str, Any] = {"purpose": purpose, "reply": text}
    if tokens is not None:
        entry["usage"] = {"input": tokens[0], "output": tokens[1]}
    return entry


def records(place: Workplace, task: TaskRow, branch: str | None = None) -> list[dict[str, Any]]:
    """Of a branch, oldest first."""
    entries = list(read_log(place, task, branch, with_records=True))[::-1]
    return [entry.record or {} for entry in entries]
