"""A commit as the commands that look back name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.history.commits import Commit
from app.plan.model import Json
from app.vm.moments import Moment, Moments


@dataclass(frozen=True, slots=True)
class CommitView:
    """``type`` is the step's, ``visit`` how often it had come round, from 1; both ``None`` where no step ran."""

    commit: Commit
    visit: int | None
    type: str | None

    def to_json(self) -> dict[str, Json]:
        commit = self.commit
        return {
            "commit": commit.id,
            "kind": commit.kind,
            "seq_no": commit.seq_no,
            "visit": self.visit,
            "type": self.type,
            "tool": commit.trailers.get("Tool"),
            "subject": commit.subject,
            "author": commit.author,
            "time": commit.time,
        }


def view_commit(moments: Moments, moment: Moment) -> CommitView:
    """What there is to say about a commit without its record."""
    step = moments.step(moment)
    return CommitView(moment.commit, moments.visit(moment), step.type if step is not None else None)


def header(task_id: str, branch: str | None, commit: Commit) -> dict[str, Any]:
    """What begins the JSON of a command that looks back from a commit."""
    return {"task_id": task_id, "branch": branch, "commit": commit.id}
