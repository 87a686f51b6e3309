"""Values, times and ids as a line for a person has them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from json import JSONEncoder
from typing import Any, Final

from app.history.commits import one_line
from app.plan.model import Json

_TASK_DIGITS: Final = 8
_COMMIT_DIGITS: Final = 8
_ERROR_CHARACTERS: Final = 2_000
_encoder = JSONEncoder(ensure_ascii=False)


def short_task(task_id: str) -> str:
    """The beginning of a task's id: enough to name it, all but certainly."""
    return task_id[:_TASK_DIGITS]


def short_commit(commit: str) -> str:
    """The beginning of a commit's id."""
    return commit[:_COMMIT_DIGITS]


def preview(value: Json, limit: int) -> str:
    """The beginning of a value as JSON on one line; never writes out much more of it than it shows."""
    if isinstance(value, str):
        return one_line(_encoder.encode(value[: limit + 1]), limit)
    text = ""
    for part in _encoder.iterencode(value):
        text += part[: limit + 1]
        if len(text) > limit:
            break
    return one_line(text, limit)


def kind_and_size(value: Json) -> str:
    """What a value is, and how large: ``113 items``, ``2,048 characters``, ``true or false``."""
    if isinstance(value, str):
        return count(len(value), "character")
    if isinstance(value, list):
        return count(len(value), "item")
    if isinstance(value, dict):
        return count(len(value), "key")
    if isinstance(value, bool):
        return "boolean"
    return "null" if value is None else "number"


def error_text(error: Mapping[str, Any]) -> str:
    """The error of a step: ``step 3 read_file item 7: no such file``. A limit speaks for itself."""
    tool, item = error.get("tool"), error.get("item")
    message = one_line(str(error.get("message")), _ERROR_CHARACTERS)
    if message.startswith("limit reached"):
        return message
    place = (
        f"step {error.get('step')}"
        + (f" {tool}" if tool else "")
        + (f" item {item}" if item is not None else "")
    )
    return f"{place}: {message.removeprefix(f'{tool}: ')}"


def count(number: int, noun: str) -> str:
    """``1 step``, ``2,000 steps``."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """``0.012 s``, ``4.2 s``, ``3 min 5 s``, ``2 h 4 min``."""
    if seconds < 1:
        return f"{seconds:.3f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def elapsed(seconds: float) -> str:
    """A duration that goes on: no more digits than an eye can follow."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def moment(milliseconds: int) -> str:
    """A time as the clock on the wall shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(milliseconds / 1000))


def byte_size(number: int) -> str:
    """``512 B``, ``16 MiB``."""
    size, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if size == int(size) else f"{size:.1f} {unit}"


def usage_text(usage: Mapping[str, Json]) -> str:
    """``3 model calls, 1,200 tokens in, 300 out, cost 0.0123``; what is unknown says so."""

    def amount(value: Json) -> str:
        return "unknown" if value is None else f"{value:,}"

    tokens = f"{amount(usage['input_tokens'])} tokens in, {amount(usage['output_tokens'])} out"
    if usage["input_tokens"] is None and usage["output_tokens"] is None:
        tokens = "tokens unknown"
    cost = "unknown" if usage["cost"] is None else f"{usage['cost']:.4f}"
    return f"{count(usage['model_calls'], 'model call')}, {tokens}, cost {cost}"
