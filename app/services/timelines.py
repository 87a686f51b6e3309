"""When each step of a run was under way, without what it was asked and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.db.base import TaskRow
from app.history.commits import Commit
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.moments import STEP_KINDS
from app.vm.records import reused_calls

_LARGE: Final = ("calls", "errors")
"""Of what may lie beside a record, what tells of times and failures."""
_OF_MODEL: Final = (
    "purpose",
    "provider",
    "model",
    "prompt",
    "input_tokens",
    "output_tokens",
    "cost",
    "attempts",
    "started_ms",
    "ended_ms",
)
_OF_CALL: Final = ("tool", "effect", "started_ms", "ended_ms", "count", "calls")
_OF_DECISION: Final = ("choice", "item", "who", "decided_ms")


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some commits of a line of history, newest first. ``after`` is the id of the one that follows, if any."""

    start: Commit
    entries: list[dict[str, Any]]
    after: str | None


def read_timeline(
    workplace: Workplace, task: TaskRow, revision: str | None, limit: int, start: str | None = None
) -> TimelinePage:
    """Up to ``limit`` commits from a revision on, or from ``start``, the ``after`` of the page before.

    An entry has ``commit``, ``kind``, ``seq_no``, ``time`` (seconds), ``subject``; where there is one, its call's
    ``tool``, ``effect``, ``started_ms``, ``ended_ms`` and ``attempts``; of a ``for_each`` its ``count`` and
    ``calls``: attempts, start and end of each item, and the items that ``failed``; ``reused``, how many calls took
    an earlier answer; the ``models`` that were asked. Raises ``NotFound``, ``Ambiguous``, ``InputError``.
    """
    with open_repository(workplace, task) as repository:
        name = start if start is not None else revision if revision is not None else task.current_branch
        first = repository.resolve(name)
        entries: list[dict[str, Any]] = []
        for commit in repository.log(first.oid):
            if len(entries) == limit:
                return TimelinePage(first, entries, commit.id)
            entries.append(_entry(commit, repository.reader.record_with(commit.tree, _LARGE)))
        return TimelinePage(first, entries, None)


def _entry(commit: Commit, record: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "commit": commit.id,
        "kind": commit.kind,
        "seq_no": commit.seq_no,
        "time": commit.time,
        "subject": commit.subject,
    }
    if commit.kind in STEP_KINDS:
        entry |= {name: record[name] for name in _OF_CALL if name in record}
        entry["type"] = record.get("type")
        entry["visit"] = record.get("visit", 1)
        if "started_ms" in record and "count" not in record:
            entry["attempts"] = record.get("attempts", 1)
        reused = reused_calls(record)
        if reused:
            entry["reused"] = reused
        failed = sorted(int(item) for item in record.get("errors", {}))
        if failed or commit.kind == "failure" or "error" in record:
            entry["failed"] = failed
    elif commit.kind == "decision":
        entry |= {name: record[name] for name in _OF_DECISION if record.get(name) is not None}
    models = [{name: call.get(name) for name in _OF_MODEL} for call in record.get("model_calls", ())]
    if models:
        entry["models"] = models
    return entry
