"""What a commit did, on one line: for lists of many commits, which can't read every record whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from app.history.commits import one_line
from app.history.trees import Entry
from app.history.value_ranges import ValueRanges
from app.services.value_views import view_value
from app.vm.moments import Moment, Moments
from app.vm.usage import add_usage
from app.vm.writes import Writes

Outcome: TypeAlias = Literal["ran", "reused", "partly reused", "failed", "none"]
"""``none``: a step without an effect, or no step."""

_CHARS: Final = 160
_NAMES: Final = 3
_UNASKED: Final = "origins"


@dataclass(frozen=True, slots=True)
class Digest:
    """``visit`` is how often the step had come round, from 1. ``duration_ms`` is that of its calls, ``cost`` what
    their models took in US dollars; ``None`` where there is none, or it is not known. ``sets`` are the variables."""

    visit: int | None
    outcome: Outcome
    result: str
    duration_ms: int | None
    model_calls: int
    cost: float | None
    sets: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "visit": self.visit,
            "outcome": self.outcome,
            "result": self.result,
            "duration_ms": self.duration_ms,
            "model_calls": self.model_calls,
            "cost": self.cost,
            "sets": self.sets,
        }


class Digester:
    """Reads the digests of one repository's commits."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._writes = Writes(moments)
        self._ranges = ValueRanges(moments.reader)

    def line(self, head: bytes) -> Iterator[tuple[Moment, Digest]]:
        """The commit and its ancestors, newest first."""
        for moment, before in self._moments.line(head):
            yield moment, self._digest(moment, before)

    def _digest(self, moment: Moment, before: Moment | None) -> Digest:
        record = self._moments.inline_record(moment)
        parts = self._parts(moment)
        calls = self._field(record, parts, "model_calls") or []
        usage = add_usage({}, calls)
        names = sorted(self._writes.names(moment, before))
        begun, ended = record.get("started_ms"), record.get("ended_ms")
        return Digest(
            self._moments.visit(moment),
            _outcome(moment, record, parts),
            self._result(moment, record, parts, names),
            ended - begun if begun is not None and ended is not None else None,
            len(calls),
            usage["cost"] if calls else None,
            names,
        )

    def _parts(self, moment: Moment) -> Mapping[str, Entry]:
        """The large fields of the record, which lie beside it."""
        entry = moment.entries.get("record")
        if entry is None:
            return {}
        return {part.name.rsplit(".", 1)[0]: part for part in self._moments.reader.read_tree(entry.oid)}

    def _field(self, record: Mapping[str, Any], parts: Mapping[str, Entry], name: str) -> Any:
        return self._moments.reader.value(parts[name]) if name in parts else record.get(name)

    def _result(
        self, moment: Moment, record: Mapping[str, Any], parts: Mapping[str, Entry], names: list[str]
    ) -> str:
        if "error" in record or "error" in parts:
            return one_line(str(self._field(record, parts, "error")), _CHARS)
        entries = self._moments.reader.variable_entries(moment.commit.tree) if names else {}
        told = [
            f"{name} = {view_value(self._ranges, entries[name]).preview}"
            for name in names[:_NAMES]
            if name in entries
        ]
        if len(names) > _NAMES:
            told.append("…")
        return one_line(", ".join(told), _CHARS)


def _outcome(moment: Moment, record: Mapping[str, Any], parts: Mapping[str, Entry]) -> Outcome:
    if moment.commit.kind == "failure" or {"error", "errors"} & {*record, *parts}:
        return "failed"
    if "from_commit" in record:
        return "reused"
    if _UNASKED in record or _UNASKED in parts:
        return "partly reused" if "started_ms" in record else "reused"
    is_effect = "inputs" in record or "inputs" in parts
    return "ran" if is_effect and moment.commit.kind == "step" else "none"
