"""Whether a value can be kept, found out before its text is written: lists may hold one long text many times."""

from __future__ import annotations

from typing import Any

from app.history.canonical import MAX_DEPTH, TOO_DEEP


def trouble_with(value: Any, limit: int, max_depth: int = MAX_DEPTH) -> str | None:
    """Why ``value`` is too deep, or its text surely above ``limit`` bytes; ``None`` where neither is known."""
    size = 0
    level = [value]
    for depth in range(max_depth + 1):
        deeper: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                size += len(item)
            elif kind is list or kind is dict:
                if depth == max_depth:
                    return TOO_DEEP
                size += 2 * len(item)
                deeper.extend(item if kind is list else item.values())
            if size > limit:
                return too_large(size, limit)
        if not deeper:
            break
        level = deeper
    return None


def too_large(size: int, limit: int) -> str:
    """The error of a value above the limit; ``size`` is what is known of it."""
    return f"limit reached: value size: at least {size:,} bytes, at most {limit:,} are allowed"
