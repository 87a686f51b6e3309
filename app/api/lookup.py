"""What a URL names."""

from __future__ import annotations

import re
from typing import Final

from app.api.state import place
from app.db.base import TaskRow
from app.services.tasks import find_task

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}\Z")


def the_task(task_id: str) -> TaskRow:
    """The task of a URL, by its id or the beginning of one, where whoever asks may see it. Raises ``NotFound``."""
    return find_task(place(), task_id)


def value_url(task_id: str, commit: str, name: str) -> str:
    """Where the value of a variable at a commit is, whole or in parts."""
    return f"/api/tasks/{task_id}/commits/{commit}/variables/{name}"


def is_commit_id(revision: str) -> bool:
    """Whether a revision will always mean the same commit."""
    return _COMMIT_ID.match(revision) is not None
