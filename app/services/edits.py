"""A person sets variables: a fork with an ``edit`` commit, from which the run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.db.base import TaskRow
from app.errors import Conflict, InputError
from app.history.canonical import canonical
from app.history.repository import require_own
from app.plan.model import Json
from app.plan.paths import NAME
from app.services.branches import new_branch_name, source_of, status_of
from app.services.progress import progress_here
from app.services.scribes import open_fork
from app.services.tasks import open_repository
from app.services.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Edited:
    """Variables that were set: ``commit`` is the first of ``branch``, which was forked at ``fork_point``."""

    task_id: str
    branch: str
    fork_point: str
    commit: str
    variables: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "branch": self.branch,
            "fork_point": self.fork_point,
            "commit": self.commit,
            "variables": list(self.variables),
        }


def set_variables(
    workplace: Workplace,
    task: TaskRow,
    variables: Mapping[str, Json],
    at: str | None = None,
    name: str | None = None,
) -> Edited:
    """Fork at a revision, by default the head of the current branch, and set variables there.

    Raises ``InputError`` for names that no variable has and values that the history can't hold, ``NotFound`` and
    ``Ambiguous`` (revision), ``Conflict`` where the name is taken or the revision has no plan.
    """
    workplace.actor.require("operator")
    _check(variables)
    with open_repository(workplace, task) as repository:
        revision = at if at is not None else task.current_branch
        commit = repository.resolve(revision)
        require_own(commit)
        control = repository.reader.control(commit.tree)
        if repository.reader.plan(commit.tree) is None:
            raise Conflict(f"{revision!r} is before there was a plan", hint="`log` lists the commits")
        branch = new_branch_name(repository, name, "edit")
        source, source_head = source_of(repository, task, revision, commit) or (branch, commit.id)
        scribe = open_fork(repository, task.id, commit.oid, branch)
        record = {
            "who": workplace.person,
            "decided_ms": workplace.clock_ms(),
            "revises": {"branch": source, "commit": source_head},
        }
        made = scribe.edit(variables, record, author=workplace.person)
        scribe.journal.flush()
        status = status_of({**control, "status": scribe.state.status})
        progress = progress_here(scribe)
    workplace.tasks.note_run(task.id, branch, status, workplace.clock_ms(), progress=progress)
    return Edited(task.id, branch, commit.id, made.hex(), tuple(variables))


def _check(variables: Mapping[str, Json]) -> None:
    if not variables:
        raise InputError("no variable is set", hint="""for example limit=5 'words=["a", "b"]'""")
    for name, value in variables.items():
        if not NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no name of a variable", hint="letters, digits and _, no digit first"
            )
        canonical(value)
