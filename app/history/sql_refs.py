"""Refs as rows: moved by compare-and-set within the transaction of the objects they reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.errors import BranchMoved
from app.history.base import RefMove
from app.history.ref_moves import check_fence, moved_refs
from app.history.refnames import check_ref_name
from app.history.sql_statements import StoreStatements


def move_refs(cursor: Any, sql: StoreStatements, repository: int, moves: Sequence[RefMove]) -> None:
    """Do all ``moves``, or raise as :meth:`app.history.base.Store.write` says; the caller then rolls back."""
    if len(moves) == 1 and _advance(cursor, sql, repository, moves[0]):
        return
    lock_repository(cursor, sql, repository, moves[0].ref)
    cursor.execute(sql.all_refs_locked, (repository,))
    rows = {name: (target, fence) for name, target, fence in cursor.fetchall()}
    standing = {name: target for name, (target, _) in rows.items() if target is not None}
    fences = {name: fence for name, (_, fence) in rows.items()}
    for name, target in moved_refs(standing, fences, moves).items():
        if name in rows:
            # The row stays where the ref is deleted, for its fence.
            cursor.execute(sql.set_ref, (target, repository, name))
        elif target is not None:
            cursor.execute(sql.add_ref, (repository, name, target, 0))


def have_moved(cursor: Any, sql: StoreStatements, repository: int, moves: Sequence[RefMove]) -> bool:
    """Whether ``moves``, of a transaction that is in doubt, are done: every ref stands where it was to go, and under
    the fence that was named. A commit's id says all of its history, so nobody else can have led a ref there who
    wanted anything else."""
    for move in moves:
        cursor.execute(sql.ref, (repository, move.ref))
        row = cursor.fetchone()
        target, fence = (None, 0) if row is None else row
        if target != move.new or move.fence not in (None, fence):
            return False
    return bool(moves)


def raise_fence(cursor: Any, sql: StoreStatements, repository: int, ref: str, fence: int) -> None:
    """Store ``fence`` unless a higher one is there: ``BranchMoved``."""
    cursor.execute(sql.raise_fence, (fence, repository, ref, fence))
    if cursor.rowcount == 1:
        return
    check_ref_name(ref)
    lock_repository(cursor, sql, repository, ref)
    cursor.execute(sql.ref, (repository, ref))
    row = cursor.fetchone()
    if row is None:
        cursor.execute(sql.add_ref, (repository, ref, None, fence))
        return
    check_fence(ref, row[1], fence)
    # Somebody made the row after our first try, with a lower fence.
    cursor.execute(sql.raise_fence, (fence, repository, ref, fence))


def _advance(cursor: Any, sql: StoreStatements, repository: int, move: RefMove) -> bool:
    """The move of every step, in one statement. ``False``: it is another kind of move, or must not happen."""
    if move.old is None or move.new is None:
        return False
    if move.fence is None:
        cursor.execute(sql.move_ref, (move.new, repository, move.ref, move.old))
    else:
        cursor.execute(sql.move_fenced_ref, (move.new, repository, move.ref, move.old, move.fence))
    return bool(cursor.rowcount == 1)


def lock_repository(cursor: Any, sql: StoreStatements, repository: int, ref: str) -> int:
    """Whoever makes refs waits here: two of them could make ``a`` and ``a/b`` at once. Who collects garbage as well.

    Gives how often that has happened.
    """
    cursor.execute(sql.lock_repository, (repository,))
    row = cursor.fetchone()
    if row is None:
        raise BranchMoved(ref, "the task's history was deleted")
    return int(row[0])
