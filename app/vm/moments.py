"""Looking back: the commits of a run with what their trees hold, each part read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from app.errors import DamagedHistory
from app.history.commits import Commit
from app.history.repository import Repository
from app.history.trees import Entry
from app.plan.model import Step
from app.plan.parse import PlanSyntaxError, plan_from_json

_PLANS: Final = 8
STEP_KINDS: Final = frozenset({"step", "failure"})
"""The kinds of the commits that executed a step."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A commit, and the entries of its tree by name."""

    commit: Commit
    entries: Mapping[str, Entry] = field(repr=False)

    def id_of(self, name: str) -> bytes | None:
        """The id behind a name such as ``vars`` or ``plan.json``: equal ids are equal contents."""
        entry = self.entries.get(name)
        return entry.oid if entry is not None else None


class Moments:
    """The commits of one repository. Raises ``DamagedHistory`` for what can't be read."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.reader = repository.reader
        self._steps = lru_cache(_PLANS)(self._read_steps)

    def at(self, commit: Commit) -> Moment:
        """The moment of a commit."""
        return Moment(commit, self.reader.top(commit.tree))

    def line(self, head: bytes) -> Iterator[tuple[Moment, Moment | None]]:
        """The commit and its ancestors, newest first, each with the one before it."""
        later: Moment | None = None
        for commit in self.repository.log(head):
            moment = self.at(commit)
            if later is not None:
                yield later, moment
            later = moment
        if later is not None:
            yield later, None

    def control(self, moment: Moment) -> dict[str, Any]:
        """``state.json``."""
        return self._document(moment, "state.json")

    def inline_record(self, moment: Moment) -> dict[str, Any]:
        """``record.json`` as it lies there, without the large parts beside it."""
        return self._document(moment, "record.json")

    def _document(self, moment: Moment, name: str) -> dict[str, Any]:
        entry = moment.entries.get(name)
        document = self.reader.value(entry) if entry is not None else {}
        if not isinstance(document, dict):
            raise DamagedHistory(moment.commit.id, f"holds no object in {name}")
        return document

    def step(self, moment: Moment) -> Step | None:
        """The step that the commit executed, as its plan has it; ``None`` where it executed none."""
        commit, plan = moment.commit, moment.id_of("plan.json")
        if commit.kind not in STEP_KINDS or commit.seq_no is None or plan is None:
            return None
        return self._steps(plan).get(commit.seq_no)

    def _read_steps(self, oid: bytes) -> dict[int, Step]:
        try:
            plan = plan_from_json(self.reader.read_json(oid))
        except (PlanSyntaxError, ValueError, RecursionError) as error:
            raise DamagedHistory(oid.hex(), f"is not a plan: {error}") from None
        return {step.seq_no: step for step in plan.steps}

    def visit(self, moment: Moment) -> int | None:
        """How often the step had been begun by then, from 1; ``None`` where no step was executed."""
        commit = moment.commit
        if commit.kind not in STEP_KINDS or commit.seq_no is None:
            return None
        # A step that can't come round again is not counted.
        done: int = self.control(moment).get("visits", {}).get(str(commit.seq_no), 0)
        return done + 1 if commit.kind == "failure" else max(done, 1)

    def visits(self, commits: Iterable[Commit]) -> Iterator[int | None]:
        """The visits of commits that follow each other, newest first, from what one state has counted."""
        counted: dict[str, int] | None = None
        for commit in commits:
            if commit.kind not in STEP_KINDS or commit.seq_no is None:
                counted = None  # a revision may count anew
                yield None
                continue
            if counted is None:
                counted = dict(self.control(self.at(commit)).get("visits", {}))
            done = counted.get(str(commit.seq_no), 0)
            if commit.kind == "failure":
                yield done + 1
            else:
                yield max(done, 1)
                counted[str(commit.seq_no)] = done - 1


def notes_error(moment: Moment, before: Moment | None) -> bool:
    """Whether the commit noted an error: the list of errors grows by every one, and by nothing else."""
    return moment.id_of("errors.d") != (before.id_of("errors.d") if before is not None else None)
