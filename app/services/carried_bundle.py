"""Reading an export: nothing of it is believed until all of it is verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.db.base import TaskRow, TaskRows
from app.db.texts import storable
from app.errors import InputError, StackVMError
from app.history.base import RawObject
from app.history.bundles import read_bundle
from app.history.codec import FORMAT
from app.history.commits import Commit
from app.history.memory_store import MemoryStore
from app.history.refnames import HEADS, check_branch_name, check_ref_name
from app.history.snapshots import SnapshotReader
from app.history.soundness import sound_objects
from app.services.carried import SOURCES, TAGS, TASK_REF, read_rows
from app.vm.state import STATUSES

_HEAD: Final = "HEAD"


@dataclass(frozen=True, slots=True)
class Carried:
    """A task as it came: ``refs`` are its branches and tags, ``objects`` all that it reaches, each once."""

    rows: TaskRows
    refs: Mapping[str, bytes]
    objects: Sequence[RawObject]
    commits: int


def read_export(path: Path, backend: str) -> Carried:
    """A task whose history will be kept in ``backend``.

    Raises ``InputError`` for what is no export, is cut off, was changed, lacks something, holds what can't be, or is
    of a newer format.
    """
    refs, objects = read_bundle(path)
    if TASK_REF not in refs:
        raise InputError(
            f"{path} is no export of a task: it has no {TASK_REF}", hint="`export TASK FILE` makes one"
        )
    try:
        return _verified(refs, objects, backend)
    except StackVMError as error:
        raise InputError(f"{path} can't be imported: {error.message}", hint=error.hint) from None


def _verified(refs: Mapping[str, bytes], objects: Sequence[RawObject], backend: str) -> Carried:
    known = {item.oid: item for item in objects}
    store = MemoryStore()
    store.write(objects)
    reader = SnapshotReader(store)
    _, (commit, *others) = sound_objects(known, [refs[TASK_REF]])
    if others:
        raise InputError(f"{TASK_REF} has a history of its own")
    _check_names(refs)
    tips = {name: oid for name, oid in refs.items() if name not in (TASK_REF, _HEAD)}
    rows = read_rows(reader, commit, tips, backend)
    _check_head(refs, rows.task)
    found, commits = sound_objects(known, tips.values())
    _check_commits(reader, commits, rows.task)
    _check_heads(reader, tips, commits, rows)
    kept = {name: oid for name, oid in tips.items() if not name.startswith(SOURCES)}
    return Carried(rows, kept, found, len(commits))


def _check_names(refs: Mapping[str, bytes]) -> None:
    for name, oid in refs.items():
        if name.startswith(HEADS):
            check_branch_name(name.removeprefix(HEADS))
        elif name.startswith(TAGS):
            check_ref_name(name)
        elif name not in (TASK_REF, _HEAD, SOURCES + oid.hex()):
            raise InputError(f"it has a ref that no export has: {name!r}")
        for end in (place for place, letter in enumerate(name) if letter == "/"):
            if name[:end] in refs:
                raise InputError(f"its refs {name[:end]!r} and {name!r} exclude each other")


def _check_head(refs: Mapping[str, bytes], task: TaskRow) -> None:
    head = refs.get(HEADS + task.current_branch)
    if head is None:
        raise InputError(f"it lacks the task's current branch {task.current_branch!r}")
    if refs.get(_HEAD, head) != head:
        raise InputError("its HEAD is not the head of the task's current branch")


def _check_commits(reader: SnapshotReader, commits: Iterable[Commit], task: TaskRow) -> None:
    """Every commit is of a layout we know and of this task, and the first says what the row says."""
    known_layouts: set[bytes] = set()
    for commit in commits:
        layout = next((entry.oid for entry in reader.read_tree(commit.tree) if entry.name == "format"), None)
        if layout is None:
            raise InputError(f"commit {commit.id} is none of StackVM's: it has no format")
        if layout not in known_layouts:
            _check_layout(reader.read_blob(layout), commit)
            known_layouts.add(layout)
        owner = commit.trailers.get("Task", "" if not commit.parents else task.id)
        if owner != task.id:
            raise InputError(f"commit {commit.id} is of task {owner!r}, not {task.id!r}")
        if not commit.parents:
            _check_goal(reader, commit, task)


def _check_layout(text: bytes, commit: Commit) -> None:
    if text == b"%d\n" % FORMAT:
        return
    number = text.strip()
    if number.isdigit() and len(number) < 10 and int(number) > FORMAT:
        raise InputError(
            f"commit {commit.id} has layout {int(number)}, and this version of StackVM reads {FORMAT}",
            hint="import it with the version that wrote it, or a later one",
        )
    raise InputError(f"commit {commit.id} has no layout that StackVM ever had")


def _check_goal(reader: SnapshotReader, commit: Commit, task: TaskRow) -> None:
    goal = reader.goal(commit.tree)
    text = goal.get("goal")
    if not isinstance(text, str) or storable(text) != task.goal:
        raise InputError(f"the goal of its first commit {commit.id} is not the task's")
    if goal.get("namespace") != task.namespace:
        raise InputError(f"the namespace of its first commit {commit.id} is not the task's")


def _check_heads(
    reader: SnapshotReader, tips: Mapping[str, bytes], commits: Iterable[Commit], rows: TaskRows
) -> None:
    trees = {commit.oid: commit.tree for commit in commits}
    for name, oid in tips.items():
        status = reader.control(trees[oid]).get("status")
        if status not in STATUSES:
            raise InputError(f"where {name} stands there is no status")
    reader.snapshot(trees[tips[HEADS + rows.task.current_branch]])
    for branch in rows.branches:
        if HEADS + branch.name not in tips:
            raise InputError(f"it lacks the branch {branch.name!r}")
