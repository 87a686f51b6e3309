"""Why each step of a run was kept, taken from an earlier run, or done anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from app.db.base import TaskRow
from app.errors import NotFound, StepError
from app.history.commits import Commit
from app.plan.diff import diff_plans
from app.plan.model import Calling, Plan
from app.plan.parse import plan_from_json
from app.services.branches import require_branch
from app.services.reusing import Fork, fork_of
from app.services.revising import Past, read_past
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.tools.registry import Catalog
from app.vm.differences import Part, Told, changed_parts, write_label
from app.vm.keys import KEYED
from app.vm.origins import Origin, origins_of
from app.vm.records import Record

Outcome: TypeAlias = Literal["kept", "ran", "reused", "none"]
"""``kept``: before the fork point. ``none``: a step without an effect."""

Place: TypeAlias = tuple[int, int]
"""``seq_no`` and visit."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One executed step. ``origin`` is where a reused result came from; of a ``for_each``, where its first came from.

    ``items``: how many items of a ``for_each`` were reused and how many were asked. ``changed`` says for a step that
    ran why nothing earlier was taken, as far as there was something.
    """

    seq_no: int
    visit: int
    commit: str
    tool: str | None
    effect: str | None
    outcome: Outcome
    failed: bool = False
    origin: Origin | None = None
    items: tuple[int, int] | None = None
    changed: tuple[Part, ...] = ()

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "seq_no": self.seq_no,
            "visit": self.visit,
            "commit": self.commit,
            "tool": self.tool,
            "effect": self.effect,
            "outcome": self.outcome,
            "failed": self.failed,
            "from_commit": self.origin.commit if self.origin is not None else None,
            "changed": [part.to_json() for part in self.changed],
        }
        if self.origin is not None and self.origin.place is not None:
            document["from_place"] = dict(self.origin.place)
        if self.items is not None:
            document["items"] = {"reused": self.items[0], "ran": self.items[1]}
        return document


def explain_run(
    workplace: Workplace, task: TaskRow, branch: str | None, step: int | None = None
) -> tuple[str, Fork | None, list[Explanation]]:
    """The branch's name, where it was forked, and its executed steps in order; those of one step where it is named.

    Raises ``NotFound`` for a branch or step that isn't there.
    """
    with open_repository(workplace, task) as repository:
        name = require_branch(repository, task, branch)
        catalog = workplace.catalog(task.namespace)
        past = read_past(workplace, task, repository, name, catalog)
        fork = fork_of(workplace, task, repository, name)
        source = None
        if fork is not None:
            source = read_past(workplace, task, repository, fork.source.branch, catalog, fork.source.head)
        explained = list(_Teller(past, source, fork, catalog).explain())
        if step is not None:
            explained = [each for each in explained if each.seq_no == step]
            if not explained:
                raise NotFound(
                    "executed step", str(step), hint="`show` lists the steps and what became of them"
                )
    return name, fork, explained


class _Teller:
    """Reads a run beside the one it was forked from."""

    def __init__(self, past: Past, source: Past | None, fork: Fork | None, catalog: Catalog) -> None:
        self._run = _Run(past)
        self._catalog = catalog
        self._fork = fork
        self._earlier = _Run(source) if source is not None else None
        self._numbers = _old_numbers(self._earlier, self._run) if self._earlier is not None else {}
        self._kept = _commits_until(past, fork)

    def explain(self) -> Iterator[Explanation]:
        for commit, place, told in self._run.steps():
            yield self._explain(commit, place, told)

    def _explain(self, commit: Commit, place: Place, told: Told) -> Explanation:
        record = told.record
        effect = "read" if record["type"] == "jmp" and "inputs" in record else record.get("effect")
        failed = commit.kind == "failure" or "error" in record
        base = Explanation(*place, commit.id, record.get("tool"), effect, "none", failed)
        if commit.oid in self._kept:
            return replace(base, outcome="kept")
        if "inputs" not in record or record.get("count") == 0:
            return base
        origin, items = _origin(record), _items(record)
        if origin is not None and (items is None or items[1] == 0):
            return replace(base, outcome="reused", origin=origin, items=items)
        return replace(base, outcome="ran", origin=origin, items=items, changed=self._changed(place, told))

    def _changed(self, place: Place, told: Told) -> tuple[Part, ...]:
        if self._earlier is None or self._fork is None:
            return ()
        seq_no, visit = place
        old = self._earlier.told_at.get((self._numbers.get(seq_no, -1), visit))
        if old is None or "inputs" not in old.record:
            return (Part("step", None, seq_no),)
        parts = changed_parts(old, told)
        if not parts and (self._fork.record.get("reuse") is False or self._opts_out(told.record)):
            parts = [Part("reuse", None, False)]
        return tuple(parts) or (Part("occurrence", None, visit),)

    def _opts_out(self, record: Record) -> bool:
        """Whether the tool, as it is now, has its answers taken by nobody."""
        try:
            return not self._catalog.find(record.get("tool", "")).reuse
        except StepError:
            return False


class _Run:
    """The steps of a line of history, numbered as in its newest plan."""

    def __init__(self, past: Past) -> None:
        self._past = past
        head = past.commits[-1]
        document = past.repository.reader.plan(head.tree)
        self.plan = plan_from_json(document) if document is not None else Plan(())
        self._instructions = {step.seq_no: step.instruction for step in self.plan.steps}
        kept = past.fork_point(self.plan).kept if self.plan.steps else ()
        self._places = {step.commit.oid: (step.seq_no, step.visit) for step in kept}

    def steps(self) -> Iterator[tuple[Commit, Place, Told]]:
        """Every executed step, failed ones included."""
        writes: list[str] = []
        for commit in self._past.commits:
            if commit.kind not in ("step", "failure") or commit.seq_no is None:
                continue
            record = self._past.repository.reader.record(commit.tree)
            place = self._places.get(commit.oid, (commit.seq_no, record.get("visit", 1)))
            instruction = self._instructions.get(place[0])
            outputs = instruction.wanted_keys if isinstance(instruction, Calling) else ()
            yield commit, place, Told(record, tuple(writes), outputs)
            if record.get("effect") in KEYED and commit.kind == "step":
                writes.append(write_label(record))

    @cached_property
    def told_at(self) -> Mapping[Place, Told]:
        """The newest telling of each place."""
        return {place: told for _, place, told in self.steps()}


def _old_numbers(earlier: _Run, run: _Run) -> dict[int, int]:
    """Number of a step in the run's plan → its number in the earlier one's."""
    return {
        each.new.seq_no: each.old.seq_no
        for each in diff_plans(earlier.plan, run.plan).steps
        if each.old is not None and each.new is not None
    }


def _commits_until(past: Past, fork: Fork | None) -> frozenset[bytes]:
    """The commits up to the fork point."""
    if fork is None:
        return frozenset()
    oids = [commit.oid for commit in past.commits]
    return frozenset(oids[: oids.index(fork.point) + 1])


def _origin(record: Record) -> Origin | None:
    if "count" in record:
        return next(iter(origins_of(record).values()), None)
    return Origin.of(record)


def _items(record: Record) -> tuple[int, int] | None:
    if "count" not in record:
        return None
    reused = len(origins_of(record))
    return reused, len(record["values"]) - reused
