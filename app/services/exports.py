"""A task as one file: its history, and all that is known of it beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.crash_points import reached
from app.db.base import TaskRow, TaskRows
from app.errors import Conflict, InputError
from app.history.base import Kind, RawObject
from app.history.bundles import make_bundle
from app.history.commits import Commit, parse_commit
from app.history.disk import disk_errors, sync_folder, write_aside
from app.history.reachable import reachable_objects
from app.history.refnames import HEADS
from app.history.repository import Repository
from app.services.carried import SOURCES, TAGS, TASK_REF, rows_to_objects
from app.services.leases import refuse_running
from app.services.tasks import open_repository
from app.services.workplace import Workplace

_FORKING_KINDS: Final = frozenset({"revision", "edit", "push"})


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. ``bytes`` is the size of the file."""

    task_id: str
    file: Path
    bytes: int
    branches: int
    commits: int
    objects: int
    attempts: int
    effects: int

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "file": str(self.file),
            "bytes": self.bytes,
            "branches": self.branches,
            "commits": self.commits,
            "objects": self.objects,
            "attempts": self.attempts,
            "effects": self.effects,
        }


def export_task(workplace: Workplace, task: TaskRow, file: Path, *, replace: bool = False) -> Exported:
    """Write a task to ``file``, which is there complete or not at all. The same task gives the same bytes.

    Raises ``Conflict`` where a worker runs one of its branches and, without ``replace``, where ``file`` exists;
    ``InputError`` where it can't be a file; ``DamagedHistory`` and ``StorageError``.
    """
    path = file.resolve()
    _refuse_target(path, file, replace)
    with open_repository(workplace, task) as repository:
        _refuse_running(workplace, task, repository)
        refs, rows = _look(workplace, task, repository)
        _refuse_running(workplace, task, repository)
        objects = _history(repository, refs, rows)
    commits = sum(item.kind == Kind.COMMIT for item in objects)
    commit, own = rows_to_objects(rows, refs)
    # `git clone` checks out what HEAD says.
    refs |= {"HEAD": refs[HEADS + rows.task.current_branch], TASK_REF: commit}
    known = {item.oid for item in objects}
    data = make_bundle(refs, [*objects, *(item for item in own if item.oid not in known)])
    _write(path, data, file, replace)
    return Exported(
        task.id,
        file,
        len(data),
        sum(name.startswith(HEADS) for name in refs),
        commits,
        len(objects),
        len(rows.attempts),
        sum(map(len, rows.effects.values())),
    )


def _refuse_target(path: Path, file: Path, replace: bool) -> None:
    if path.exists():
        if not path.is_file():
            raise InputError(f"{file} is there already, and is no file")
        if not replace:
            raise Conflict(f"{file} is there already", hint="--force overwrites it")
    elif not path.parent.is_dir():
        raise InputError(f"there is no folder {str(path.parent)!r}")


def _refuse_running(workplace: Workplace, task: TaskRow, repository: Repository) -> None:
    """What a copy and its original both went on with would happen twice; so nobody may be going on."""
    for branch in repository.branches():
        refuse_running(workplace, task, branch)


def _look(workplace: Workplace, task: TaskRow, repository: Repository) -> tuple[dict[str, bytes], TaskRows]:
    """Refs and rows that fit together, also if somebody begins to run the task meanwhile.

    Outcomes are read before the refs: they go when they are committed. Attempts are read after them: one that was
    begun before a head moved must not be missing, or its call would be made again.
    """
    ledger = workplace.ledger(task.id)
    effects = {branch: ledger.branch_effects(branch) for branch in repository.branches()}
    refs = {
        name: oid
        for name, oid in repository.store.refs().items()
        if name.startswith(HEADS) or (name.startswith(TAGS) and _is_commit(repository, oid))
    }
    heads = [name.removeprefix(HEADS) for name in refs if name.startswith(HEADS)]
    attempts = [attempt for branch in heads for attempt in ledger.branch_attempts(branch)]
    row = workplace.tasks.get(task.id)
    if row.current_branch not in heads:
        repository.head(row.current_branch)  # names those there are
    known = [branch for branch in workplace.tasks.branches(task.id) if branch.name in heads]
    kept = {branch: effects[branch] for branch in heads if effects.get(branch)}
    return refs, TaskRows(row, known, attempts, kept)


def _is_commit(repository: Repository, oid: bytes) -> bool:
    return repository.store.read(oid).kind == Kind.COMMIT


def _history(repository: Repository, refs: dict[str, bytes], rows: TaskRows) -> list[RawObject]:
    """All objects that the refs reach, and those of runs that were forked and whose branches are gone: these get
    refs, too. What was collected since is left out."""
    found: dict[bytes, RawObject] = {}
    tips = set(refs.values())
    sources = {
        bytes.fromhex(branch.source_head) for branch in rows.branches if branch.source_head is not None
    }
    while tips:
        new = [item for item in reachable_objects(repository.store, tips) if item.oid not in found]
        found |= {item.oid: item for item in new}
        sources |= set(_forked(repository, new))
        tips = {oid for oid in sources if oid not in found and repository.store.has(oid)}
        refs |= {SOURCES + oid.hex(): oid for oid in tips}
    return list(found.values())


def _forked(repository: Repository, objects: list[RawObject]) -> Iterator[bytes]:
    """The heads that revisions and edits among ``objects`` were made for."""
    for commit in _commits(objects):
        if commit.kind in _FORKING_KINDS:
            revised = repository.reader.record(commit.tree).get("revises")
            if revised is not None:
                yield bytes.fromhex(revised["commit"])


def _commits(objects: list[RawObject]) -> Iterator[Commit]:
    return (parse_commit(item.oid, item.data) for item in objects if item.kind == Kind.COMMIT)


def _write(path: Path, data: bytes, file: Path, replace: bool) -> None:
    with disk_errors(f"write {file}"):
        aside = write_aside(path.parent, data)
        try:
            reached("export.written")
            _refuse_target(path, file, replace)  # again: somebody may have made it meanwhile
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(path.parent)
