"""What a proposal will do, step by step, and what the same calls cost when they were made before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from app.errors import DamagedHistory
from app.history.commits import Commit
from app.plan.diff import PlanDiff, diff_plans
from app.plan.model import Calling, Json, Jump, Plan, Step
from app.plan.parse import plan_from_json
from app.services.revise import Proposal
from app.services.revising import Past, read_past
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.attempted import Attempted
from app.vm.foresight import Foreseen
from app.vm.moments import STEP_KINDS, Moments
from app.vm.usage import NO_USAGE, add_usage

WILLS: Final[Mapping[str, str]] = {
    "ask": "waits for a decision",
    "fail": "fails",
    "run": "makes the call",
    "may_run": "takes an earlier result if its inputs turn out to be the same, else makes the call",
    "skip": "makes no call, as was decided",
    "reuse": "takes an earlier result",
    "kept": "both runs share it",
    "compute": "calls nothing",
    "unknown": "lies behind a branching whose way is not known yet",
}
"""What a step will do; of a step that comes round several times, the first of these that one of its visits does."""

_NAMES: Final = {"depends": "may_run"}
_RUNS: Final = ("run",)
_MAY_RUN: Final = ("may_run", "ask")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call, or several, took when they were made. Unknown is ``None``."""

    usage: Mapping[str, Json]
    duration_ms: int

    def to_json(self) -> dict[str, Json]:
        return {**self.usage, "duration_ms": self.duration_ms}


def preview_proposal(workplace: Workplace, proposal: Proposal) -> dict[str, Any]:
    """The JSON of what a proposal will do. Raises ``DamagedHistory``."""
    task = proposal.task
    with open_repository(workplace, task) as repository:
        catalog = workplace.catalog(task.namespace)
        head = bytes.fromhex(proposal.head)
        past = read_past(workplace, task, repository, proposal.branch, catalog, head)
        document = repository.reader.plan(past.commits[-1].tree)
        old = plan_from_json(document) if document is not None else Plan(())
        changes = diff_plans(old, proposal.plan)
        return _Preview(past, old, changes, proposal).to_json()


class _Preview:
    def __init__(self, past: Past, old: Plan, changes: PlanDiff, proposal: Proposal) -> None:
        self._proposal = proposal
        self._changes = changes
        self._costs = _Costs(past, old)
        self._kept = {step.seq_no for step in past.fork_point(proposal.plan).kept}
        pairs = [(each.old.seq_no, each.new.seq_no) for each in changes.steps if each.old and each.new]
        self._old_numbers = {new: old for old, new in pairs}
        self._new_numbers = dict(pairs)

    def to_json(self) -> dict[str, Any]:
        proposal = self._proposal
        foreseen: dict[int, list[Foreseen]] = defaultdict(list)
        for each in proposal.foreseen:
            foreseen[each.seq_no].append(each)
        happened: dict[int | None, list[Attempted]] = defaultdict(list)
        for call in proposal.beyond:
            happened[self._new_numbers.get(call.seq_no)].append(call)
        steps = [
            self._step(step, foreseen[step.seq_no], happened[step.seq_no]) for step in proposal.plan.steps
        ]
        return {
            "fork_point": proposal.fork_point,
            "kept": proposal.kept,
            "changes": self._changes.to_json(),
            "steps": steps,
            "beyond": [call.to_json() for call in proposal.beyond],
            "costs": _totals(call for step in steps for call in step["calls"]),
        }

    def _step(
        self, step: Step, foreseen: Sequence[Foreseen], happened: Sequence[Attempted]
    ) -> dict[str, Any]:
        calls = [self._call(each) for each in foreseen]
        will = self._will(step, [call["will"] for call in calls])
        instruction = step.instruction
        return {
            "seq_no": step.seq_no,
            "type": step.type,
            "description": step.description,
            "tool": instruction.tool_name if isinstance(instruction, Calling) else None,
            "will": will,
            "meaning": WILLS[will],
            "calls": calls,
            "happened": [call.to_json() for call in happened],
        }

    def _will(self, step: Step, wills: Sequence[str]) -> str:
        if wills:
            return min(wills, key=list(WILLS).index)
        if step.seq_no in self._kept:
            return "kept"
        instruction = step.instruction
        asks = isinstance(instruction, Jump) and instruction.condition_prompt is not None
        return "unknown" if asks or isinstance(instruction, Calling) else "compute"

    def _call(self, foreseen: Foreseen) -> dict[str, Any]:
        document = foreseen.to_json()
        document["will"] = _NAMES.get(foreseen.will, foreseen.will)
        if foreseen.from_commit is not None:
            cost = self._costs.of_commit(foreseen.from_commit)
        else:
            cost = self._costs.of_step(self._old_numbers.get(foreseen.seq_no), foreseen.tool)
        return {**document, "earlier": cost.to_json() if cost is not None else None}


class _Costs:
    """What the calls of a run took."""

    def __init__(self, past: Past, plan: Plan) -> None:
        self._repository = past.repository
        self._moments = Moments(past.repository)
        self._by_step: dict[int, Commit] = {}
        self._by_tool: dict[str, Commit] = {}
        kept = past.fork_point(plan).kept if plan.steps else ()
        numbers = {step.commit.oid: step.seq_no for step in kept}
        for commit in past.commits:
            if commit.kind in STEP_KINDS and commit.seq_no is not None:
                self._by_step[numbers.get(commit.oid, commit.seq_no)] = commit
                if "Tool" in commit.trailers:
                    self._by_tool[commit.trailers["Tool"]] = commit

    def of_commit(self, commit_id: str) -> Cost | None:
        """What made that commit took."""
        try:
            return self._of(self._repository.commit(bytes.fromhex(commit_id)))
        except DamagedHistory:
            return None  # of a branch that is gone

    def of_step(self, seq_no: int | None, tool: str | None) -> Cost | None:
        """What the step took the last time; else what the tool did."""
        commit = self._by_step.get(seq_no) if seq_no is not None else None
        if commit is None or commit.trailers.get("Tool") != tool:
            commit = self._by_tool.get(tool) if tool is not None else None
        return self._of(commit) if commit is not None else None

    def _of(self, commit: Commit) -> Cost:
        record = self._moments.inline_record(self._moments.at(commit))
        timed = "started_ms" in record and "ended_ms" in record
        duration = max(0, record["ended_ms"] - record["started_ms"]) if timed else 0
        return Cost(add_usage(NO_USAGE, record.get("model_calls", ())), duration)


def _totals(calls: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What is saved, will be and may be spent, as far as earlier calls tell; ``unknown`` counts the others."""
    found = list(calls)
    spending = (*_RUNS, *_MAY_RUN)
    unknown = sum(call["will"] in spending and call["earlier"] is None for call in found)
    return {
        "saved": _total((call, _reused(call)) for call in found),
        "expected": _total((call, 1 - _reused(call)) for call in found if call["will"] in _RUNS),
        "possible": _total((call, Fraction(1)) for call in found if call["will"] in _MAY_RUN),
        "unknown": unknown,
    }


def _reused(call: Mapping[str, Any]) -> Fraction:
    """The share of a call that is not made again: of a ``for_each``, that of its items."""
    if call["will"] == "reuse":
        return Fraction(1)
    if call["will"] in _RUNS and call["items"]:
        return Fraction(call["reused_items"] or 0, call["items"])
    return Fraction(0)


def _total(parts: Iterable[tuple[Mapping[str, Any], Fraction]]) -> dict[str, Json]:
    """The shares of what the calls took before, added up. Items of one ``for_each`` count as equally dear."""
    usage: dict[str, Json] = {**NO_USAGE}
    duration_ms = 0
    for call, share in parts:
        if not call["earlier"] or not share:
            continue
        part = {name: _part(amount, share) for name, amount in call["earlier"].items()}
        duration_ms += part.pop("duration_ms")
        usage = {**add_usage(usage, [part]), "model_calls": usage["model_calls"] + part["model_calls"]}
    return {**usage, "duration_ms": duration_ms}


def _part(amount: Any, share: Fraction) -> Any:
    if amount is None or share == 1:
        return amount
    part = amount * share
    return round(part) if isinstance(amount, int) else round(float(part), 9)
