"""Which names a ref may have: git's rules, the same on every store."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.errors import InvalidName
from app.history.visible import trouble_with_characters

HEADS = "refs/heads/"

# Leaves room for git's ".lock" within a file name of 255 bytes, and fits an indexed column on every database.
MAX_REF_BYTES = 240

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def check_ref_name(name: str) -> None:
    """Raise ``InvalidName`` unless ``name`` is a full ref name (``refs/…``) that git accepts."""
    trouble = _trouble(name)
    if trouble is not None:
        raise InvalidName(f"not a ref name: {name!r} {trouble}", hint="git check-ref-format has the rules")


def check_branch_name(name: str) -> None:
    """Raise ``InvalidName`` unless ``name`` can be a branch, without ``refs/heads/``."""
    _refuse_branch(name, _trouble_with_branch(name))


def check_new_branch_name(name: str) -> None:
    """As :func:`check_branch_name`, for one that is to be made: it must be told from others by looking at it."""
    _refuse_branch(name, _trouble_with_branch(name) or trouble_with_characters(name))


def _refuse_branch(name: str, trouble: str | None) -> None:
    if trouble is not None:
        raise InvalidName(f"not a branch name: {name!r} {trouble}", hint="letters, digits, '-', '_' are safe")


def _trouble_with_branch(name: str) -> str | None:
    if name.startswith("-"):
        return "begins with '-'"
    if name.split("/")[0] == "HEAD":
        return "is git's word for the current branch"
    return _trouble(HEADS + name)


def conflicting_ref(name: str, existing: Iterable[str]) -> str | None:
    """The first of ``existing`` that can't stand beside ``name``: ``a`` and ``a/b`` exclude each other.

    ``name`` itself is no conflict.
    """
    below = name + "/"
    for other in existing:
        if other.startswith(below) or name.startswith(other + "/"):
            return other
    return None


def _trouble(name: str) -> str | None:
    """What is wrong with a full ref name, as the end of a sentence that begins with the name."""
    if not name.startswith("refs/"):
        return "does not begin with refs/"
    found = _FORBIDDEN.search(name)
    if found is not None:
        return f"contains {found.group()!r}"
    for part in name.split("/"):
        if trouble := _trouble_in_part(part):
            return trouble
    if name.endswith("."):
        return "ends with '.'"
    return _trouble_with_size(name)


def _trouble_in_part(part: str) -> str | None:
    if not part:
        return "has an empty part"
    if part.startswith("."):
        return "has a part that begins with '.'"
    return "has a part that ends with '.lock'" if part.endswith(".lock") else None


def _trouble_with_size(name: str) -> str | None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return f"is longer than {MAX_REF_BYTES} bytes" if size > MAX_REF_BYTES else None
