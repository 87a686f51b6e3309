"""Proposals: revisions that wait for somebody's word. Made, looked at, approved once, or discarded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.db.base import TaskRow
from app.db.reviews import PROPOSAL_STATUSES, ProposalRow, ProposalStatus
from app.errors import ConfigurationError, Conflict, InputError, NotFound, PlanRejected, StackVMError
from app.plan.findings import has_errors
from app.plan.model import Json, Plan
from app.plan.parse import plan_from_json
from app.plan.values import shorten
from app.planner.records import plan_record
from app.services.branches import new_branch_name, require_branch
from app.services.leases import refuse_running
from app.services.planning import require_askers
from app.services.previews import preview_proposal
from app.services.revise import (
    Proposal,
    RevisionOptions,
    check_revision,
    current_plan,
    propose_revision,
    set_in_step,
    suggest_revision,
)
from app.services.tasks import open_repository
from app.services.workplace import Workplace

WRITING_MS: Final = 15 * 60 * 1000
"""After so long without an end, a model that writes a proposal counts as lost."""
MAX_SUGGESTION: Final = 20_000
_LARGEST: Final = (1 << 53) - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What a proposal's plan comes from, exactly one: a ``plan`` document, ``values`` (path, value) for ``step``, a
    ``suggestion``, which may be about ``step`` only. ``branch`` is revised; ``None``: the current one."""

    branch: str | None = None
    plan: Json = None
    step: int | None = None
    values: tuple[tuple[str, Json], ...] = ()
    suggestion: str | None = None

    @property
    def kind(self) -> str:
        """``plan``, ``step`` or ``suggestion``. Raises ``InputError`` where it is not exactly one."""
        given = {
            "plan": self.plan is not None,
            "step": bool(self.values),
            "suggestion": self.suggestion is not None,
        }
        kinds = [kind for kind, is_given in given.items() if is_given]
        if len(kinds) != 1:
            raise InputError("give exactly one of plan, set, suggestion")
        if kinds == ["step"] and self.step is None:
            raise InputError("set needs step, the number of the step to change")
        if kinds == ["plan"] and self.step is not None:
            raise InputError("step goes with set or suggestion")
        return kinds[0]


def create_proposal(workplace: Workplace, task: TaskRow, wish: Wish, options: RevisionOptions) -> ProposalRow:
    """Keep what a wish comes to. Of a suggestion, that a model is to write it: :func:`write_proposal` has it do so.

    Raises ``Forbidden``, ``InputError``, ``NotFound`` (branch, step), ``PlanRejected``, ``Conflict`` where the branch
    is being run, has no plan, or the new branch's name is taken, and where there is no model to write it.
    """
    workplace.actor.require("operator")
    kind = wish.kind
    with open_repository(workplace, task) as repository:
        branch = require_branch(repository, task, wish.branch)
        if options.name is not None:
            new_branch_name(repository, options.name, "revision")
        base = repository.head(branch).hex()
    refuse_running(workplace, task, branch)
    origin: dict[str, Json] = {"kind": kind}
    if kind == "suggestion":
        _check_suggestion(workplace, task, branch, wish)
        origin |= {"suggestion": wish.suggestion, "step": wish.step}
        return workplace.proposals.add(_row(workplace, task, branch, base, None, origin, options, "writing"))
    if kind == "step":
        origin |= {"step": wish.step, "set": [{"path": path, "value": value} for path, value in wish.values]}
    plan = _wished_plan(workplace, task, branch, wish)
    proposal = _work_out(workplace, task, branch, plan, options)
    origin["preview"] = preview_proposal(workplace, proposal)
    document = plan.to_json()
    row = _row(workplace, task, branch, proposal.head, document, origin, options, "open")
    return workplace.proposals.add(row)


def _row(
    workplace: Workplace,
    task: TaskRow,
    branch: str,
    base: str,
    plan: Mapping[str, Json] | None,
    origin: Mapping[str, Json],
    options: RevisionOptions,
    status: ProposalStatus,
) -> ProposalRow:
    now = workplace.clock_ms()
    chosen = {"name": options.name, "reuse": options.reuse, "irreversible": options.policy}
    return ProposalRow(task.id, branch, base, plan, origin, chosen, status, workplace.person, now, now)


def _check_suggestion(workplace: Workplace, task: TaskRow, branch: str, wish: Wish) -> None:
    """What would fail is said at once, and not when the model is asked."""
    suggestion = wish.suggestion or ""
    if not suggestion.strip():
        raise InputError("the suggestion is empty", hint="say in your own words what should be different")
    if len(suggestion) > MAX_SUGGESTION:
        raise InputError(
            f"the suggestion has {len(suggestion):,} characters", hint=f"at most {MAX_SUGGESTION:,}"
        )
    steps = [step["seq_no"] for step in current_plan(workplace, task, branch)["steps"]]
    if wish.step is not None and wish.step not in steps:
        raise NotFound("step", str(wish.step), hint="steps: " + ", ".join(map(str, steps)))
    try:
        require_askers(workplace)
    except ConfigurationError as error:
        # Nothing is broken: there is nobody to write it, and proposals can be made in other ways.
        raise Conflict(error.message, hint=error.hint) from None


def _wished_plan(workplace: Workplace, task: TaskRow, branch: str, wish: Wish) -> Plan:
    document = wish.plan
    if document is None:
        document = current_plan(workplace, task, branch)
        assert wish.step is not None
        for path, value in wish.values:
            document = set_in_step(document, wish.step, path, value)
    plan, findings = check_revision(workplace, task, json.dumps(document))
    if plan is None or has_errors(findings):
        raise PlanRejected(findings)
    return plan


def _work_out(
    workplace: Workplace, task: TaskRow, branch: str, plan: Plan, options: RevisionOptions
) -> Proposal:
    """Without a name: that would allow for a branch that is being run, which moves on at once."""
    return propose_revision(workplace, task, branch, plan, replace(options, name=None))


def write_proposal(workplace: Workplace, task: TaskRow, row: ProposalRow) -> ProposalRow:
    """Have the model write what was suggested. May take minutes; what goes wrong is told by the proposal."""
    options = options_of(row)
    try:
        planned = suggest_revision(
            workplace, task, row.branch, str(row.origin["suggestion"]), row.origin.get("step")
        )
        proposal = _work_out(workplace, task, row.branch, planned.plan, options)
        preview = preview_proposal(workplace, proposal)
    except StackVMError as error:
        _settle(workplace, row, _failed(row, error.message, error.hint))
        raise
    except BaseException:
        _settle(workplace, row, _failed(row, "a fault of ours", "it was logged"))
        raise
    origin = {**row.origin, "record": plan_record(planned), "preview": preview}
    return _settle(
        workplace,
        row,
        replace(row, status="open", base=proposal.head, plan=planned.plan.to_json(), origin=origin),
    )


def _failed(row: ProposalRow, message: str, hint: str | None) -> ProposalRow:
    return replace(row, status="failed", origin={**row.origin, "error": {"message": message, "hint": hint}})


def _settle(workplace: Workplace, old: ProposalRow, new: ProposalRow) -> ProposalRow:
    """Put ``new`` in the place of ``old``, unless somebody was quicker."""
    later = replace(new, updated_ms=max(workplace.clock_ms(), old.updated_ms + 1))
    workplace.proposals.replace(old, later)
    return workplace.proposals.get(old.task_id, old.number)


def options_of(row: ProposalRow) -> RevisionOptions:
    """How a proposal is to be committed."""
    chosen = row.options
    return RevisionOptions(chosen.get("name"), chosen.get("reuse", True), chosen.get("irreversible"))


def plan_of(row: ProposalRow) -> Plan:
    """Its plan. Raises ``Conflict`` where there is none."""
    if row.plan is None:
        raise Conflict(f"proposal {row.number} has no plan: it is {row.status}")
    return plan_from_json(dict(row.plan))


def find_proposal(workplace: Workplace, task: TaskRow, number: int) -> ProposalRow:
    """One of the task. Raises ``NotFound``."""
    if number > _LARGEST:
        raise NotFound("proposal", shorten(str(number)))  # a database would not even look
    row = workplace.proposals.get(task.id, number)
    if row.status == "writing" and workplace.clock_ms() - row.updated_ms > WRITING_MS:
        message = "nobody heard of the model that writes it any more"
        return _settle(
            workplace, row, _failed(row, message, "the server may have been ended; propose it again")
        )
    return row


def list_proposals(
    workplace: Workplace, task: TaskRow, limit: int, status: str | None = None, before: int | None = None
) -> Sequence[ProposalRow]:
    """Those of a task, the newest first, below the number ``before``. Raises ``InputError`` for no status."""
    for known in PROPOSAL_STATUSES:
        if known == status:
            return workplace.proposals.list(task.id, limit, status=known, before=before)
    if status is not None:
        raise InputError(f"there is no status {status!r}", hint="one of " + ", ".join(PROPOSAL_STATUSES))
    return workplace.proposals.list(task.id, limit, before=before)


def waiting_proposals(
    workplace: Workplace, limit: int, before: int | None = None
) -> list[tuple[TaskRow, ProposalRow]]:
    """Those that wait for somebody's word, with their tasks, of all tasks that the actor sees, the newest first."""
    rows = workplace.proposals.list_all(workplace.actor.namespace, limit, status="open", before=before)
    found = {row.task_id: workplace.tasks.get(row.task_id) for row in rows}
    return [(found[row.task_id], row) for row in rows]


def discard_proposal(workplace: Workplace, task: TaskRow, number: int) -> ProposalRow:
    """It is not to run. Raises ``Forbidden``, ``NotFound``, ``Conflict`` where that was decided already."""
    workplace.actor.require("operator")
    row = find_proposal(workplace, task, number)
    if row.status not in ("open", "writing", "failed"):
        raise Conflict(f"proposal {number} is {row.status} already")
    new = replace(row, status="discarded", updated_ms=max(workplace.clock_ms(), row.updated_ms + 1))
    if not workplace.proposals.replace(row, new):
        now = workplace.proposals.get(task.id, number).status
        raise Conflict(f"proposal {number} is {now} by now")
    return new


def base_moved(workplace: Workplace, task: TaskRow, rows: Sequence[ProposalRow]) -> dict[int, bool]:
    """By number, whether the branch that a proposal revises stands elsewhere by now, or is gone."""
    with open_repository(workplace, task) as repository:
        heads = repository.branches()
    return {row.number: row.branch not in heads or heads[row.branch].hex() != row.base for row in rows}


def proposal_document(row: ProposalRow, moved: bool, *, whole: bool) -> dict[str, Any]:
    """A proposal as JSON; ``whole`` with its plan and what each step will do."""
    preview = row.origin.get("preview") or {}
    record = row.origin.get("record") or {}
    document: dict[str, Any] = {
        "number": row.number,
        "task_id": row.task_id,
        "status": row.status,
        "kind": row.origin["kind"],
        "step": row.origin.get("step"),
        "suggestion": row.origin.get("suggestion"),
        "revises": row.branch,
        "base": row.base,
        "base_moved": moved,
        "branch": row.result,
        "options": dict(row.options),
        "fork_point": preview.get("fork_point"),
        "kept": preview.get("kept"),
        "costs": preview.get("costs"),
        "error": row.origin.get("error"),
        "created_by": row.created_by,
        "created_ms": row.created_ms,
        "updated_ms": row.updated_ms,
    }
    if not whole:
        return document
    return {
        **document,
        "plan": dict(row.plan) if row.plan is not None else None,
        "set": row.origin.get("set"),
        "changes": preview.get("changes"),
        "steps": preview.get("steps", []),
        "beyond": preview.get("beyond", []),
        "reasoning": record.get("reasoning"),
        "model_calls": record.get("model_calls", []),
    }
