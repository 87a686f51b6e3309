"""What people say about proposals and their steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.db.base import TaskRow
from app.db.reviews import CommentRow
from app.errors import InputError, NotFound
from app.services.proposals import find_proposal, plan_of
from app.services.workplace import Workplace

MAX_COMMENT: Final = 10_000


def add_comment(
    workplace: Workplace, task: TaskRow, number: int, body: str, seq_no: int | None = None
) -> CommentRow:
    """Say something about a proposal, or about a step of its plan.

    Raises ``Forbidden``, ``NotFound`` (proposal, step), ``InputError`` for what is empty or too long, ``Conflict``
    for a step where there is no plan yet.
    """
    workplace.actor.require("operator")
    if not body.strip():
        raise InputError("the comment is empty")
    if len(body) > MAX_COMMENT:
        raise InputError(f"the comment has {len(body):,} characters", hint=f"at most {MAX_COMMENT:,}")
    row = find_proposal(workplace, task, number)
    if seq_no is not None:
        steps = [step.seq_no for step in plan_of(row).steps]
        if seq_no not in steps:
            raise NotFound("step", str(seq_no), hint="steps: " + ", ".join(map(str, steps)))
    comment = CommentRow(row.number, seq_no, workplace.person, body, workplace.clock_ms())
    return workplace.proposals.add_comment(comment)


def list_comments(
    workplace: Workplace, task: TaskRow, number: int, limit: int, after: int = 0
) -> Sequence[CommentRow]:
    """Those on a proposal, the oldest first, above the number ``after``. Raises ``NotFound``."""
    return workplace.proposals.comments(find_proposal(workplace, task, number).number, limit, after=after)


def comment_document(row: CommentRow) -> dict[str, Any]:
    """A comment as JSON."""
    return {
        "number": row.number,
        "seq_no": row.seq_no,
        "author": row.author,
        "body": row.body,
        "created_ms": row.created_ms,
    }
