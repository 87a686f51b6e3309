"""What works here, and what to do about what doesn't."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import StackVMError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``advice`` is what to do where it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    advice: str | None = None

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "advice": self.advice}


def check(name: str, look: Callable[[], str]) -> Check:
    """``look`` says what it found, or raises what is wrong."""
    try:
        return Check(name, True, look())
    except StackVMError as error:
        return Check(name, False, error.message, error.hint)


def check_folder(name: str, folder: Path, *, writable: bool) -> Check:
    """A folder that has to be there, or that can be made."""
    existing = folder
    while writable and not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return Check(name, False, f"{folder} is no folder", f"create it, or change {name}")
    if writable and not os.access(existing, os.W_OK):
        return Check(name, False, f"{existing} can't be written", f"change its permissions, or {name}")
    return Check(name, True, str(folder.absolute()))
