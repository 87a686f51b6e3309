"""Outcomes that are kept until their commit: what was paid for survives a crash."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

from app.crash_points import reached
from app.db.base import FinishedEffect, Ledger
from app.tools.base import Tool
from app.vm.calls import CallError, Outcome
from app.vm.keys import reads_outside

_DROPPED_AT_ONCE: Final = 256


class KeptOutcomes:
    """The outcomes of a branch that were not committed when they arrived. One for a run."""

    def __init__(self, ledger: Ledger, branch: str) -> None:
        self._ledger = ledger
        self._branch = branch
        self._committed: list[tuple[int, int]] = []

    @cached_property
    def _places(self) -> set[tuple[int, int]]:
        """The steps that have some: asked once, as most have none."""
        return self._ledger.effect_places(self._branch)

    def of_step(self, seq_no: int, visit: int) -> Mapping[int, tuple[str, bytes]]:
        """Item → (inputs hash, outcome)."""
        if (seq_no, visit) not in self._places:
            return {}
        return self._ledger.effects(self._branch, seq_no, visit)

    def save(self, finished: Iterable[FinishedEffect]) -> None:
        """Keep them, in one transaction."""
        rows = list(finished)
        if rows:
            self._ledger.save_effects(self._branch, rows)
            reached("effects.kept")
            self._places.update((row.seq_no, row.visit) for row in rows)

    def committed(self, seq_no: int, visit: int) -> None:
        """The step was committed; once that is durable nobody needs its outcomes here."""
        if (seq_no, visit) in self._places:
            self._committed.append((seq_no, visit))

    def drop_committed(self) -> None:
        """Forget what was committed, where it is worth a transaction. To be called after a flush."""
        if len(self._committed) >= _DROPPED_AT_ONCE:
            self._drop(self._committed)

    def end(self, *, completed: bool) -> None:
        """The run is over, and all is flushed. Nobody will ask for what a completed one has left."""
        if self._committed or completed:
            self._drop(list(self._places) if completed else self._committed)

    def _drop(self, places: Collection[tuple[int, int]]) -> None:
        self._ledger.drop_effects(self._branch, places)
        reached("effects.dropped")
        self._places.difference_update(places)
        self._committed = []


def dump_outcome(outcome: Outcome, tool: Tool, outputs: Sequence[str]) -> bytes:
    """An outcome as bytes for the effects table, with what it takes to find it as an earlier answer."""
    fields = {
        "value": outcome.value,
        "error": outcome.error.message if outcome.error is not None else None,
        "attempts": outcome.attempts,
        "started_ms": outcome.started_ms,
        "ended_ms": outcome.ended_ms,
        "reads": reads_outside(tool.name, tool.effect),
    }
    if outputs:
        fields["outputs"] = list(outputs)
    if outcome.model_calls:
        fields["model_calls"] = outcome.model_calls
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def load_outcome(data: bytes) -> Outcome:
    """Read what :func:`dump_outcome` wrote."""
    fields = json.loads(data)
    error = CallError("raised", fields["error"]) if fields["error"] is not None else None
    return Outcome(
        "ok" if error is None else "failed",
        fields["value"],
        error,
        fields["attempts"],
        fields["started_ms"],
        fields["ended_ms"],
        tuple(fields.get("model_calls", ())),
    )
