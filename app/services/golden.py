"""Golden runs: stored runs that are run again with what there is now, to see what changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from app.db.base import TaskRow
from app.db.memory import MemoryLedger
from app.errors import Conflict, InputError, NotFound, StackVMError
from app.history.bundles import bundle_bytes, load_bundle
from app.history.commits import Commit
from app.history.disk import disk_errors
from app.history.memory_store import MemoryStore
from app.history.refnames import HEADS
from app.history.repository import Repository
from app.services.branches import require_branch
from app.services.comparisons import RunComparison, compare_runs
from app.services.revisions import Revision
from app.services.tasks import open_repository
from app.services.thinking import has_prompt
from app.services.workplace import Workplace
from app.vm.caller import Caller
from app.vm.decisions import Decisions
from app.vm.performer import Performer
from app.vm.rerun import Rerun
from app.vm.scribe import Scribe

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX: Final = ".bundle"
_CHECKED: Final = "golden-check"

Verdict: TypeAlias = Literal["same", "different", "error"]


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """What became of a golden run. ``made`` calls had to be made anew; ``comparison`` is there where it differs.

    The left side of the comparison is what was recorded. ``error`` says why a run could not be judged.
    """

    name: str
    verdict: Verdict
    made: int = 0
    comparison: RunComparison | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "verdict": self.verdict,
            "calls_made": self.made,
            "error": self.error,
            "comparison": self.comparison.to_json() if self.comparison is not None else None,
        }


def record_golden(
    workplace: Workplace, task: TaskRow, branch: str | None, name: str, *, replace: bool = False
) -> Path:
    """Store a run under a name; gives the file, a git bundle.

    Raises ``InputError`` for a name no file should have, ``NotFound`` (branch), ``Conflict`` where there is one of
    that name or the run has not ended, ``StorageError``.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a golden run", hint="letters, digits, . _ - and no more")
    folder = workplace.golden_folder
    path = folder / f"{name}{_SUFFIX}"
    if path.exists() and not replace:
        raise Conflict(f"there is a golden run {name!r} already", hint="--replace overwrites it")
    with open_repository(workplace, task) as repository:
        chosen = require_branch(repository, task, branch)
        head = repository.commit(repository.head(chosen))
        status = repository.reader.control(head.tree).get("status")
        if status not in ("completed", "failed", "cancelled"):
            raise Conflict(f"branch {chosen!r} has not ended", hint="a golden run is one that has ended")
        data = bundle_bytes(repository.store, {HEADS + chosen: head.oid})
    with disk_errors(f"write {path}"):
        folder.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".tmp")
        aside.write_bytes(data)
        aside.replace(path)
    return path


def golden_names(folder: Path) -> list[str]:
    """The golden runs there are, by name."""
    if not folder.is_dir():
        return []
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))


def choose_golden(workplace: Workplace, names: Sequence[str]) -> list[str]:
    """The runs that were named, or all. Raises ``NotFound`` for one that isn't there, or where there is none."""
    folder = workplace.golden_folder
    known = golden_names(folder)
    for name in names:
        if name not in known:
            raise NotFound("golden run", name, hint="there are: " + (", ".join(known) or "none"))
    if not known:
        raise NotFound("golden run in", str(folder), hint="`golden record TASK NAME` stores one")
    return list(names) or known


def check_golden(workplace: Workplace, name: str) -> GoldenResult:
    """Run one again and compare. What keeps it from being judged is in the result; nothing is raised for it."""
    try:
        return _check(workplace, name, workplace.golden_folder / f"{name}{_SUFFIX}")
    except StackVMError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return GoldenResult(name, "error", error=f"{error.message}{hint}")


def _check(workplace: Workplace, name: str, path: Path) -> GoldenResult:
    store = MemoryStore()
    refs = load_bundle(store, path)
    branch, head = next(((ref.removeprefix(HEADS), oid) for ref, oid in refs.items()), ("", b""))
    if not head:
        raise InputError(f"{path} has no branch")
    repository = Repository(store)
    stored = repository.commit(head)
    task = _task_of(repository, stored, branch)
    with Performer(clock=workplace.clock_ms) as performer:
        rerun = _rerun(workplace, repository, task, performer)
        made = repository.commit(rerun.run(head, _CHECKED))
    if made.oid == stored.oid:
        return GoldenResult(name, "same")
    left = Revision(task, repository, branch, stored)
    comparison = compare_runs(workplace, left, Revision(task, repository, None, made))
    alike = comparison.first_divergence is None and not comparison.variables
    alike = alike and comparison.left.status == comparison.right.status
    return GoldenResult(name, "same" if alike else "different", rerun.made, None if alike else comparison)


def _rerun(workplace: Workplace, repository: Repository, task: TaskRow, performer: Performer) -> Rerun:
    askers = workplace.open_askers({})
    ledger = MemoryLedger()

    def caller(scribe: Scribe) -> Caller:
        return Caller(
            task_id=task.id,
            branch=_CHECKED,
            performer=performer,
            ledger=ledger,
            decisions=Decisions(),
            anchor=lambda: scribe.anchor,
            clock_ms=workplace.clock_ms,
            max_result_bytes=scribe.limits.get("value_bytes", workplace.limits["value_bytes"]),
            thinker=askers,
        )

    return Rerun(
        repository,
        task.id,
        tools=workplace.catalog(task.namespace),
        caller=caller,
        thinker=askers,
        knows=has_prompt if askers is None else askers.knows,
    )


def _task_of(repository: Repository, commit: Commit, branch: str) -> TaskRow:
    """The task as its history tells of it."""
    goal = repository.reader.goal(commit.tree)
    return TaskRow(
        id=commit.trailers.get("Task", ""),
        goal=goal.get("goal", ""),
        namespace=None,  # the namespaces of an installation are not part of what is checked
        status="completed",
        store="memory",
        current_branch=branch,
        created_ms=0,
        updated_ms=0,
    )
