"""Which calls of a stretch of history may have changed the outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.db.base import Ledger
from app.history.commits import Commit
from app.history.snapshots import SnapshotReader
from app.vm.keys import KEYED
from app.vm.state import State


@dataclass(frozen=True, slots=True)
class Attempted:
    """A step that attempted a ``write`` or ``irreversible`` call, or items of one. ``commit`` (hex) tells of it; none
    does where the run ended before the outcome was known."""

    commit: str | None
    seq_no: int
    visit: int
    tool: str
    effect: str

    def to_json(self) -> dict[str, Any]:
        return {
            "commit": self.commit,
            "step": self.seq_no,
            "visit": self.visit,
            "tool": self.tool,
            "effect": self.effect,
        }


def attempted_calls(reader: SnapshotReader, ledger: Ledger, commits: Iterable[Commit]) -> Iterator[Attempted]:
    """Those of ``commits``, in their order. What surely did not happen is left out."""
    for commit in commits:
        if "Tool" not in commit.trailers:
            continue
        record = reader.record(commit.tree)
        if record.get("effect") in KEYED and _was_attempted(record, ledger):
            yield Attempted(
                commit.id, record["seq_no"], record.get("visit", 1), record["tool"], record["effect"]
            )


def _was_attempted(record: Mapping[str, Any], ledger: Ledger) -> bool:
    """By the ledger where it knows the call: a decision may stand in for one that was made."""
    if "count" in record:
        return any(call[0] > 0 for call in record.get("calls", ()))
    attempts = ledger.attempts(record["key"]) if "key" in record else []
    if attempts:
        return any(attempt.state != "not_performed" for attempt in attempts)
    return bool(record.get("attempts", 1) > 0)


def attempted_at(ledger: Ledger, branch: str, state: State) -> frozenset[str]:
    """The tools that the step at the head of ``branch`` has called, where that may have had an effect."""
    if state.pc is None:
        return frozenset()
    place = (state.pc, state.visit(state.pc))
    return frozenset(
        attempt.tool
        for attempt in ledger.branch_attempts(branch)
        if (attempt.seq_no, attempt.visit) == place and attempt.state != "not_performed"
    )
