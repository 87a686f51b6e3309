"""What the database is asked for about proposals: rows as plain data, and the Protocol behind which they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

ProposalStatus: TypeAlias = Literal["writing", "open", "approving", "approved", "discarded", "failed"]

PROPOSAL_STATUSES: Final[tuple[ProposalStatus, ...]] = (
    "writing",
    "open",
    "approving",
    "approved",
    "discarded",
    "failed",
)
"""``writing``: a model is at it; ``failed``: it wrote none. ``approving``: the revision is being committed."""


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A revision of ``branch`` that has not run, worked out when it stood at commit ``base`` (hex).

    ``plan`` is ``None`` before it is written. ``origin`` tells how it came about and what it will do, ``options`` how
    it is to be committed. ``result`` is the branch that came of it. ``number`` is given by the table.
    """

    task_id: str
    branch: str
    base: str
    plan: Mapping[str, Any] | None
    origin: Mapping[str, Any]
    options: Mapping[str, Any]
    status: ProposalStatus
    created_by: str
    created_ms: int
    updated_ms: int
    result: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class CommentRow:
    """What somebody says about a proposal, or about a step of its plan. ``number`` is given by the table."""

    proposal: int
    seq_no: int | None
    author: str
    body: str
    created_ms: int
    number: int = 0


class ProposalTable(Protocol):
    """Proposals and the comments on them. They go with their task."""

    def add(self, row: ProposalRow) -> ProposalRow:
        """Add one; gives it with its number, which is higher than any before."""

    def get(self, task_id: str, number: int) -> ProposalRow:
        """One of a task. Raises ``NotFound``."""

    def list(
        self, task_id: str, limit: int, *, status: ProposalStatus | None = None, before: int | None = None
    ) -> Sequence[ProposalRow]:
        """Those of a task, the newest first, below the number ``before``."""

    def list_all(
        self, namespace: str | None, limit: int, *, status: ProposalStatus, before: int | None = None
    ) -> Sequence[ProposalRow]:
        """Those of all tasks, or of the tasks of a namespace, the newest first, below the number ``before``."""

    def replace(self, old: ProposalRow, new: ProposalRow) -> bool:
        """Put ``new`` in the place of ``old``. ``False`` where its status or time is not ``old``'s any more: of all
        who replace the same row, one does. ``new`` differs from ``old`` in at least one of the two."""

    def add_comment(self, row: CommentRow) -> CommentRow:
        """Add one; gives it with its number, which is higher than any before."""

    def comments(self, proposal: int, limit: int, *, after: int = 0) -> Sequence[CommentRow]:
        """Those on a proposal, oldest first, above the number ``after``."""
