"""Tasks whose histories are repositories on disk, and looking for damage in them."""

from __future__ import annotations

from pathlib import Path

from kept_tasks import fill, open_place

from app.errors import StackVMError
from app.services.fsck import Finding, find_damage
from app.services.replays import replay_branch


def filled_repository(folder: Path) -> Path:
    """A folder with tasks in it."""
    place, database = open_place(folder)
    fill(place, "git")
    database.close()
    return folder


def damage_found(folder: Path) -> list[Finding]:
    """What fsck finds; and that replay, of whatever can be found, raises nothing it should not."""
    place, database = open_place(folder)
    try:
        findings = [finding for finding in find_damage(place) if not finding.is_leftover]
        for task in place.tasks.list():
            try:
                _, result = replay_branch(place, task, None)
            except StackVMError:
                continue
            assert result.divergence is not None or result.commits > 0
        return findings
    finally:
        database.close()
