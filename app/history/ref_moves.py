"""Whether moves of refs may happen, and what the refs are afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.errors import BranchMoved, Conflict
from app.history.base import RefMove
from app.history.refnames import check_ref_name, conflicting_ref


def moved_refs(
    refs: Mapping[str, bytes], fences: Mapping[str, int], moves: Sequence[RefMove]
) -> dict[str, bytes | None]:
    """The refs that ``moves`` change, each with its new id (``None``: deleted). Changes nothing itself.

    ``refs`` must hold every ref that is moved, and all refs of the repository where one is created.
    Raises ``BranchMoved`` and ``Conflict`` as :meth:`app.history.base.Store.write` does.
    """
    changed: dict[str, bytes | None] = {}
    for move in moves:
        check_ref_name(move.ref)
        if move.fence is not None and fences.get(move.ref, 0) != move.fence:
            raise BranchMoved(move.ref, "another worker holds its lease now")
        if changed.get(move.ref, refs.get(move.ref)) != move.old:
            raise BranchMoved(move.ref)
        changed[move.ref] = move.new
    _check_names(refs, changed)
    return changed


def check_fence(ref: str, stored: int, fence: int) -> None:
    """Raise ``BranchMoved`` where a fence would be lowered."""
    if stored > fence:
        raise BranchMoved(ref, f"fence {fence} was overtaken by {stored}")


def _check_names(refs: Mapping[str, bytes], changed: Mapping[str, bytes | None]) -> None:
    """As in git, a name is not free before the write that deletes what stands in its way has ended."""
    created = [name for name, target in changed.items() if target is not None and name not in refs]
    for name in created:
        other = conflicting_ref(name, (*refs, *created))
        if other is not None:
            raise Conflict(f"ref {name!r} can't stand beside {other!r}", hint="choose another name")
