"""How a run ended, as one object for whoever asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.db.base import Progress, TaskRow
from app.history.commits import Commit
from app.history.repository import Repository
from app.plan.dataflow import FINAL_ANSWER
from app.plan.model import Json
from app.services.progress import progress_of
from app.vm.decisions import Waiting
from app.vm.machine import RunResult
from app.vm.state import State
from app.vm.usage import NO_USAGE


@dataclass(frozen=True, slots=True)
class Revised:
    """A revision: the commit ``commit`` is the first of ``branch``, which leaves ``revises`` behind ``fork_point``.

    ``kept`` is how many executed steps of ``revises`` both share; ``number`` counts the revisions that the machine
    made without a person in between, ``None`` for a person's.
    """

    branch: str
    revises: str
    fork_point: str
    commit: str
    kept: int
    number: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "branch": self.branch,
            "revises": self.revises,
            "fork_point": self.fork_point,
            "commit": self.commit,
            "kept": self.kept,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended. ``final_answer`` is the JSON value as the plan left it, ``head`` a commit id.

    ``revisions`` are those that the machine made on the way; ``branch`` is where the last of them led.
    """

    task_id: str
    branch: str
    head: str
    status: str
    final_answer: Json
    steps: int
    usage: Mapping[str, Json]
    error: Mapping[str, Json] | None
    waiting: Waiting | None = None
    revisions: tuple[Revised, ...] = ()
    progress: Progress | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "branch": self.branch,
            "head": self.head,
            "status": self.status,
            "final_answer": self.final_answer,
            "steps": self.steps,
            "usage": dict(self.usage),
            "error": self.error,
            "waiting": self.waiting.to_json() if self.waiting is not None else None,
            "revisions": [revised.to_json() for revised in self.revisions],
        }


def report_run(
    task: TaskRow, branch: str, state: State, plan: Mapping[str, Json] | None, result: RunResult
) -> RunReport:
    """The report of a run that the machine has just left."""
    return RunReport(
        task.id,
        branch,
        result.head.hex(),
        result.status,
        state.variables.get(FINAL_ANSWER),
        state.steps,
        {**NO_USAGE, **state.usage},
        state.error,
        result.waiting,
        progress=progress_of(state.control(), plan),
    )


def report_at(repository: Repository, task: TaskRow, branch: str, commit: Commit) -> RunReport:
    """The report of a run that ended at ``commit``."""
    snapshot = repository.reader.snapshot(commit.tree)
    state = State.of(snapshot)
    return report_run(task, branch, state, snapshot.plan, RunResult(state.status, commit.oid))
