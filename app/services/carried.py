"""What travels with a task beside its history: rows as files of one commit, ``refs/stackvm/task``.

``docs/carrying.md`` describes it, its number is :data:`EXPORT_FORMAT`. Readers pass over fields they don't know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.db.base import Attempt, BranchRow, FinishedEffect, TaskRow, TaskRows
from app.errors import DamagedHistory, InputError
from app.history.base import Kind, RawObject
from app.history.canonical import canonical
from app.history.commits import Commit, commit_bytes, format_message
from app.history.snapshots import SnapshotReader
from app.history.trees import Entry, ObjectSink, tree_bytes
from app.services.carried_fields import (
    CarriedAttempt,
    CarriedBranch,
    CarriedEffect,
    CarriedTask,
    check_outcome,
    read_fields,
)
from app.vm.state import PAUSED, PLANNING, RUNNING

EXPORT_FORMAT: Final = 1

TASK_REF: Final = "refs/stackvm/task"
"""The commit that holds the rows."""

TAGS: Final = "refs/tags/"
SOURCES: Final = "refs/stackvm/sources/"
"""Where runs stood that were forked, and whose branches are gone: what is reused may come from them."""

_TASK: Final = "task.json"
_ATTEMPTS: Final = "attempts.json"
_EFFECTS: Final = "effects.json"
_OUTCOMES: Final = "outcomes"
_UNDER_WAY: Final = ("queued", PLANNING, RUNNING)


def settled(status: str) -> str:
    """A status as it travels: nobody runs it where it arrives."""
    return PAUSED if status in _UNDER_WAY else status


def rows_to_objects(rows: TaskRows, refs: Mapping[str, bytes]) -> tuple[bytes, list[RawObject]]:
    """The id of the commit that holds the rows, and its objects. Equal rows and refs give equal bytes.

    It names the refs too: a bundle's own list of them has no checksum.
    """
    sink = ObjectSink()
    document = _task_document(rows) | {"refs": {name: oid.hex() for name, oid in refs.items()}}
    entries = [_blob(sink, _TASK, document)]
    if rows.attempts:
        attempts = sorted(rows.attempts, key=lambda attempt: (attempt.branch, attempt.key, attempt.number))
        entries.append(_blob(sink, _ATTEMPTS, [attempt._asdict() for attempt in attempts]))
    if any(rows.effects.values()):
        effects, outcomes = _effects(sink, rows)
        entries += [_blob(sink, _EFFECTS, effects), _folder(sink, _OUTCOMES, outcomes)]
    tree = sink.add(Kind.TREE, tree_bytes(entries))
    message = format_message(f"export of task {rows.task.id}", {"Export-Format": str(EXPORT_FORMAT)})
    commit = sink.add(Kind.COMMIT, commit_bytes(tree, (), rows.task.updated_ms // 1000, message))
    return commit, sink.drain()


def _task_document(rows: TaskRows) -> dict[str, Any]:
    task = rows.task
    branches = [
        {
            "name": branch.name,
            "status": settled(branch.status),
            "created_ms": branch.created_ms,
            "source": branch.source,
            "source_head": branch.source_head,
        }
        for branch in sorted(rows.branches, key=lambda branch: branch.name)
    ]
    return {
        "format": EXPORT_FORMAT,
        "task": {
            "id": task.id,
            "goal": task.goal,
            "namespace": task.namespace,
            "status": settled(task.status),
            "current_branch": task.current_branch,
            "created_ms": task.created_ms,
            "updated_ms": task.updated_ms,
            "steps": task.steps,
            "error": task.error,
        },
        "branches": branches,
    }


def _effects(sink: ObjectSink, rows: TaskRows) -> tuple[list[dict[str, Any]], list[Entry]]:
    """The rows, each with the id of its outcome, and the outcomes as files of that name."""
    documents, outcomes = [], {}
    for branch in sorted(rows.effects):
        for effect in sorted(rows.effects[branch]):
            oid = sink.add(Kind.BLOB, effect.outcome)
            outcomes[oid] = Entry(oid.hex(), False, oid)
            documents.append({"branch": branch, **effect._asdict(), "outcome": oid.hex()})
    return documents, list(outcomes.values())


def _blob(sink: ObjectSink, name: str, value: Any) -> Entry:
    return Entry(name, False, sink.add(Kind.BLOB, canonical(value)))


def _folder(sink: ObjectSink, name: str, entries: list[Entry]) -> Entry:
    return Entry(name, True, sink.add(Kind.TREE, tree_bytes(entries)))


def read_rows(reader: SnapshotReader, commit: Commit, refs: Mapping[str, bytes], backend: str) -> TaskRows:
    """The rows that a commit holds, for a task whose history will be kept in ``backend``.

    Raises ``InputError`` for a newer format, for what no row can be, and where ``refs`` are not those it names;
    ``DamagedHistory`` for missing parts.
    """
    entries = {entry.name: entry for entry in reader.read_tree(commit.tree)}
    document = _json(reader, entries, _TASK, dict)
    _check_format(document.get("format"))
    if document.get("refs") != {name: oid.hex() for name, oid in refs.items()}:
        raise InputError(f"its refs are not those that {_TASK} names")
    task = read_fields(CarriedTask, document.get("task"), f"{_TASK}, task")
    branches = [
        read_fields(CarriedBranch, each, f"{_TASK}, branches, {number}")
        for number, each in enumerate(_list(document.get("branches")))
    ]
    _unique([(branch.name,) for branch in branches], "branch")
    attempts = [
        Attempt(**read_fields(CarriedAttempt, each, f"{_ATTEMPTS}, {number}").model_dump())
        for number, each in enumerate(_json(reader, entries, _ATTEMPTS, list))
    ]
    _unique([(attempt.key, attempt.number) for attempt in attempts], "attempt")
    return TaskRows(
        TaskRow(**{**task.model_dump(), "status": settled(task.status)}, store=backend),
        [BranchRow(**{**branch.model_dump(), "status": settled(branch.status)}) for branch in branches],
        attempts,
        _read_effects(reader, entries),
    )


def _check_format(version: object) -> None:
    if isinstance(version, int) and version > EXPORT_FORMAT:
        raise InputError(
            f"it is an export of format {version}, and this version of StackVM reads {EXPORT_FORMAT}",
            hint="import it with the version that wrote it, or a later one",
        )
    if version != EXPORT_FORMAT:
        raise InputError(f"{_TASK} has no format that an export can have")


def _read_effects(reader: SnapshotReader, entries: dict[str, Entry]) -> dict[str, list[FinishedEffect]]:
    folder = reader.read_tree(entries[_OUTCOMES].oid) if _OUTCOMES in entries else []
    outcomes = {entry.name: entry.oid for entry in folder if not entry.is_tree}
    effects: dict[str, list[FinishedEffect]] = {}
    places = []
    for number, each in enumerate(_json(reader, entries, _EFFECTS, list)):
        place = f"{_EFFECTS}, {number}"
        fields = read_fields(CarriedEffect, each, place)
        oid = outcomes.get(fields.outcome)
        if oid is None:
            raise InputError(f"{place}: there is no outcome {fields.outcome}")
        outcome = reader.read_blob(oid)
        check_outcome(outcome, f"{_OUTCOMES}, {fields.outcome}")
        row = FinishedEffect(fields.seq_no, fields.visit, fields.item, fields.inputs_hash, outcome)
        effects.setdefault(fields.branch, []).append(row)
        places.append((fields.branch, fields.seq_no, fields.visit, fields.item))
    _unique(places, "effect")
    return effects


def _json(reader: SnapshotReader, entries: dict[str, Entry], name: str, kind: type) -> Any:
    """What a file of the commit holds; an empty list where there is none."""
    if name not in entries and kind is list:
        return []
    try:
        value = json.loads(reader.read_blob(entries[name].oid).decode())
    except KeyError:
        raise InputError(f"it lacks {name}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no JSON: {error}") from None
    except DamagedHistory:
        raise InputError(f"{name} is no file") from None
    if not isinstance(value, kind):
        raise InputError(f"{name} does not hold what it should")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{_TASK} has no list of branches")
    return value


def _unique(keys: Sequence[tuple[object, ...]], what: str) -> None:
    seen: set[tuple[object, ...]] = set()
    for key in keys:
        if key in seen:
            raise InputError(f"it has the same {what} twice: " + ", ".join(map(str, key)))
        seen.add(key)
