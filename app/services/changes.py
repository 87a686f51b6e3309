"""What happened in a task since a position: worked out from the store alone, so that every process says the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from app.db.feed import TaskRead
from app.history.repository import Repository
from app.services.inspect import LogEntry
from app.services.positions import HEAD_BYTES, BranchPosition, Position
from app.services.tasks import task_document


class TaskEvent(NamedTuple):
    """Something that happened: ``kind`` is ``task``, ``branch``, ``commit`` or ``status``; ``position`` is that
    of whoever has been told it. A commit's ``oid`` is its id, for who wants to read more."""

    kind: str
    data: dict[str, Any]
    position: Position
    oid: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """The commits of a branch that were not told yet, oldest first; ``begins`` with a branch that was not either."""

    branch: str
    commits: Sequence[bytes]
    begins: bool
    fork_point: bytes | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be told. Small, however much it is: commits are read when their turn comes."""

    old: Position
    seen: TaskRead
    gone: Sequence[str]
    lines: Sequence[_Line]

    def events(self, repository: Repository) -> Iterator[TaskEvent]:
        """One after the other. May raise ``StorageError``."""
        position = self.old
        document = task_document(self.seen.row)
        digest = _digest(document)
        told_first = not position.task
        if told_first:
            position = Position(digest, position.branches)
            yield TaskEvent("task", document, position)
        for name in self.gone:
            position = position.with_branch(name, None)
            yield TaskEvent("branch", {"branch": name, "change": "deleted"}, position)
        for line in self.lines:
            for event in self._line_events(repository, line, position):
                position = event.position
                yield event
        for name, branch in sorted(position.branches.items()):
            status = _status(self.seen, name)
            if status != branch.status:
                position = position.with_branch(name, BranchPosition(branch.head, status))
                yield TaskEvent("status", {"branch": name, "status": status}, position)
        if digest != position.task:
            yield TaskEvent("task", document, Position(digest, position.branches))

    def _line_events(self, repository: Repository, line: _Line, position: Position) -> Iterator[TaskEvent]:
        status = None
        if line.begins:
            row = self.seen.branches.get(line.branch)
            begins_at = line.fork_point
            data = {
                "branch": line.branch,
                "change": "created",
                "head": begins_at.hex() if begins_at is not None else None,
                "source": row.source if row is not None else None,
            }
            position = position.with_branch(
                line.branch, BranchPosition((begins_at or b"")[:HEAD_BYTES], None)
            )
            yield TaskEvent("branch", data, position)
        else:
            status = position.branches[line.branch].status
        for oid in line.commits:
            entry = LogEntry(repository.commit(oid)).to_json()
            position = position.with_branch(line.branch, BranchPosition(oid[:HEAD_BYTES], status))
            yield TaskEvent("commit", {"branch": line.branch, **entry}, position, oid)


def find_changes(old: Position, seen: TaskRead, repository: Repository) -> Changes:
    """What to tell whoever is at ``old``. Costs what is new; a branch that is new to somebody who knows others costs
    the length of those."""
    gone = [name for name in sorted(old.branches) if name not in seen.heads]
    lines: list[_Line] = []
    told: set[bytes] = set()
    for name in _in_order(seen):
        if name not in old.branches or old.branches[name].head == seen.heads[name][:HEAD_BYTES]:
            continue
        commits = _since(repository, seen.heads[name], old.branches[name].head)
        if commits is None:  # deleted, and made again
            gone.append(name)
        else:
            told.update(commits)
            lines.append(_Line(name, commits, begins=False))
    fresh = [name for name in _in_order(seen) if name not in old.branches or name in gone]
    if fresh:
        _walk_told(repository, [seen.heads[name] for name in seen.heads if name not in fresh], told)
    for name in fresh:
        commits, fork_point = _until_told(repository, seen.heads[name], told)
        told.update(commits)
        lines.append(_Line(name, commits, begins=True, fork_point=fork_point))
    return Changes(old, seen, gone, lines)


def position_of(seen: TaskRead) -> Position:
    """Of whoever has been told everything."""
    branches = {
        name: BranchPosition(head[:HEAD_BYTES], _status(seen, name)) for name, head in seen.heads.items()
    }
    return Position(_digest(task_document(seen.row)), branches)


def _status(seen: TaskRead, branch: str) -> str | None:
    row = seen.branches.get(branch)
    return row.status if row is not None else None


def _in_order(seen: TaskRead) -> list[str]:
    """The branches, those first that others may have been forked from."""
    rows: Mapping[str, Any] = seen.branches
    return sorted(seen.heads, key=lambda name: (rows[name].created_ms if name in rows else 1 << 62, name))


def _since(repository: Repository, head: bytes, known: bytes) -> list[bytes] | None:
    """The commits behind the one that begins with ``known``, oldest first; ``None`` where it is no ancestor."""
    found: list[bytes] = []
    for commit in repository.log(head):
        if known and commit.oid.startswith(known):
            return found[::-1]
        found.append(commit.oid)
    return None if known else found[::-1]


def _walk_told(repository: Repository, heads: Sequence[bytes], told: set[bytes]) -> None:
    """Add everything that the branches known so far reach: a new branch may have been forked anywhere."""
    walked: set[bytes] = set()
    for head in heads:
        for commit in repository.log(head):
            if commit.oid in walked:
                break
            walked.add(commit.oid)
    told |= walked


def _until_told(repository: Repository, head: bytes, told: set[bytes]) -> tuple[list[bytes], bytes | None]:
    found: list[bytes] = []
    for commit in repository.log(head):
        if commit.oid in told:
            return found[::-1], commit.oid
        found.append(commit.oid)
    return found[::-1], None


def _digest(document: Mapping[str, Any]) -> str:
    return blake2b(orjson.dumps(document), digest_size=6).hexdigest()
