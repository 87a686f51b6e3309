"""What a run waits for a person to decide, and the choices there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.db.base import Attempt
from app.history.commits import TRANSPARENT_KINDS
from app.history.repository import Repository
from app.plan.model import Json

CHOICES: Final = ("reuse", "run", "skip", "fail")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person can say, and what it will do; ``from_commit`` (hex) holds the result to ``reuse``."""

    name: str
    does: str
    from_commit: str | None = None

    def to_json(self) -> dict[str, Any]:
        document = {"choice": self.name, "does": self.does}
        return document if self.from_commit is None else {**document, "from_commit": self.from_commit}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a branch a call stands; ``item`` within a ``for_each``."""

    seq_no: int
    visit: int
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that a person has to decide about. ``attempt`` is the number of the attempt in doubt; 0 where the
    call has not been made on this branch. ``choices`` are empty where nobody has looked them up yet."""

    reason: str
    place: Place
    tool: str
    inputs: Mapping[str, Json]
    idempotency_key: str
    attempt: int
    choices: tuple[Choice, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "step": self.place.seq_no,
            "visit": self.place.visit,
            "item": self.place.item,
            "tool": self.tool,
            "inputs": dict(self.inputs),
            "idempotency_key": self.idempotency_key,
            "attempt": self.attempt,
            "choices": [choice.to_json() for choice in self.choices],
        }


class Decisions:
    """The decisions that were taken since the last step of a branch."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_call = {(record["key"], record["attempt"]): record for record in records if "key" in record}

    @classmethod
    def since_last_step(cls, repository: Repository, head: bytes) -> Decisions:
        """Read those that stand between ``head`` and the newest commit of another kind."""
        records = []
        for commit in repository.log(head):
            if commit.kind not in TRANSPARENT_KINDS:
                break
            if commit.kind == "decision":
                records.append(repository.reader.record(commit.tree))
        return cls(reversed(records))

    def about(self, key: str, attempt: int) -> Mapping[str, Any] | None:
        """The decision about that attempt of the call with that idempotency key; 0 stands before the first."""
        return self._by_call.get((key, attempt))


def in_doubt(attempts: list[Attempt]) -> Attempt | None:
    """The newest attempt, unless it is known that it did not happen."""
    if not attempts or attempts[-1].state == "not_performed":
        return None
    return attempts[-1]


def reason_for_waiting(attempt: Attempt, *, declared: bool) -> str:
    """Why nobody knows the outcome, in one line."""
    reasons = {
        "begun": "the process ended while the call was under way",
        "timeout": "the call overran its time",
        "raised": f"the tool raised {attempt.error}",
    }
    reason = f"{reasons.get(attempt.state, attempt.state)}: whether {attempt.tool} took effect is unknown"
    if not declared:
        reason += "; it declares no effect class, so it counts as irreversible: declaring one avoids this"
    return reason
