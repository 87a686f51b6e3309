"""What was answered before in a task: the calls of every run by their keys, in program order.

A run is the whole line of history of a branch. Commits that runs share are read once. A step that failed answered
nothing here: what arrived before it did lies in the effects table, and counts as not committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from app.db.base import FinishedEffect
from app.history.commits import Commit
from app.history.repository import Repository
from app.plan.model import Calling, Instruction, Json, Jump
from app.plan.parse import plan_from_json
from app.vm.forks import PLAN_KINDS
from app.vm.keys import KEYED, NOTHING_WRITTEN, CallKey, recorded_calls, written_after
from app.vm.origins import Mind, Origin, minds_of
from app.vm.records import Record


class Answer(NamedTuple):
    """A recorded answer. ``outputs`` are the keys that were wanted of it; they count where a model was asked."""

    origin: Origin
    outputs: tuple[str, ...]

    @property
    def minds(self) -> frozenset[Mind]:
        """The models that took part in it."""
        return self.origin.minds


class Call(NamedTuple):
    """A call of a run. ``answer`` is ``None`` where it failed."""

    key: CallKey
    answer: Answer | None


class Line:
    """A line of history as calls. ``written`` is the digest of what was written until its end."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.written = NOTHING_WRITTEN

    def take(self, record: Record, commit: str, outputs: tuple[str, ...]) -> None:
        """Add the calls of a step that stands, or will stand, in ``commit``."""
        minds = minds_of(record)
        keyed = record.get("effect") in KEYED
        for call in recorded_calls(record, self.written):
            origin = Origin(commit, call.item, minds=minds)
            self.calls.append(Call(call.key, Answer(origin, outputs) if call.answered else None))
            if keyed and call.performed:
                self.written = written_after(self.written, call.key)


class CallReader:
    """Reads the calls of commits, and remembers them."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._record = lru_cache(8)(repository.reader.record)
        self._steps = lru_cache(64)(self._read_steps)
        self._read: dict[bytes, tuple[Sequence[Call], bytes]] = {}

    def line(self, head: bytes) -> Line:
        """The calls from the first commit to ``head``."""
        line, steps = Line(), {}
        for commit in list(self._repository.log(head))[::-1]:
            if commit.kind in PLAN_KINDS:
                steps = self._steps(commit.tree)
            elif commit.kind == "step" and commit.seq_no is not None:
                self._take(line, commit, steps.get(commit.seq_no))
        return line

    def _take(self, line: Line, commit: Commit, step: Instruction | None) -> None:
        known = self._read.get(commit.oid)
        if known is not None:
            line.calls += known[0]
            line.written = known[1]
            return
        before = len(line.calls)
        if "Tool" in commit.trailers or (isinstance(step, Jump) and step.condition_prompt is not None):
            outputs = step.wanted_keys if isinstance(step, Calling) else ()
            line.take(self._record(commit.tree), commit.id, outputs)
        self._read[commit.oid] = line.calls[before:], line.written

    def written_at(self, branch: str, otherwise: bytes) -> bytes:
        """The digest of what was written up to the newest head of a branch, or ``otherwise`` where it is gone."""
        head = self._repository.branches().get(branch)
        return otherwise if head is None else self.line(head).written

    def value(self, origin: Origin) -> Json:
        """The value of an answer that was committed. Raises ``DamagedHistory``."""
        assert origin.commit is not None
        record = self._record(self._repository.commit(bytes.fromhex(origin.commit)).tree)
        return record["value"] if origin.item is None else record["values"][origin.item]

    def _read_steps(self, tree: bytes) -> dict[int, Instruction]:
        plan = plan_from_json(self._repository.reader.plan(tree))
        return {step.seq_no: step.instruction for step in plan.steps}


class Finished(NamedTuple):
    """An answer that arrived and was never committed, with its value."""

    key: CallKey
    answer: Answer
    value: Json


def finished_answers(branch: str, rows: Iterable[FinishedEffect], written: bytes) -> list[Finished]:
    """The answers that ``branch`` left in the effects table, in program order as far as it can be known.

    ``written`` is the digest at the branch's head: no ``read`` begins before everything written ahead of it is
    committed.
    """
    found = []
    for row in sorted(rows, key=lambda row: (row.visit, row.seq_no, row.item)):
        fields = json.loads(row.outcome)
        if fields["error"] is not None:
            continue
        item = row.item if row.item >= 0 else None
        place = {"branch": branch, "seq_no": row.seq_no, "visit": row.visit, "item": item}
        key = CallKey(bytes.fromhex(row.inputs_hash), written if fields.get("reads") else NOTHING_WRITTEN)
        origin = Origin(None, None, place, minds_of(fields))
        found.append(Finished(key, Answer(origin, tuple(fields.get("outputs", ()))), fields["value"]))
    return found


def by_key(calls: Iterable[Call]) -> Mapping[CallKey, Sequence[Answer]]:
    """Key → answers, in their order."""
    answers: dict[CallKey, list[Answer]] = {}
    for call in calls:
        if call.answer is not None:
            answers.setdefault(call.key, []).append(call.answer)
    return answers
