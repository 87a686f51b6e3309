"""What answers about proposals look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from app.api.models import Out


class CostOut(Out):
    """What calls took; unknown is null."""

    model_calls: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    duration_ms: int


class CostsOut(Out):
    """What is saved, what will be spent, what may be; as far as earlier calls tell, `unknown` counts the others."""

    saved: CostOut
    expected: CostOut
    possible: CostOut
    unknown: int


class ForeseenOut(Out):
    """What a step will do when it comes round for the `visit`-th time. `earlier`: what the same call took before."""

    seq_no: int
    visit: int
    tool: str | None
    effect: str | None
    will: str
    from_commit: str | None
    reused_items: int | None
    items: int | None
    reason: str
    earlier: CostOut | None


class AttemptedOut(Out):
    """A call that changed the outside, beyond the fork point."""

    commit: str | None
    step: int
    visit: int
    tool: str
    effect: str


class ProposedStepOut(Out):
    """A step of a proposal. `happened`: what its like did beyond the fork point that can't be taken back."""

    seq_no: int
    type: str
    description: str | None
    tool: str | None
    will: str = Field(description="ask, fail, run, may_run, skip, reuse, kept, compute, unknown")
    meaning: str
    calls: list[ForeseenOut]
    happened: list[AttemptedOut]


class OptionsOut(Out):
    """How a proposal is to be committed."""

    name: str | None
    reuse: bool
    irreversible: str | None


class ProposedOut(Out):
    """A proposal as lists show it. `branch` is what came of it; `base_moved`: it can't be approved any more."""

    number: int
    task_id: str
    status: str = Field(description="writing, open, approving, approved, discarded, failed")
    kind: str = Field(description="plan, step or suggestion")
    step: int | None
    suggestion: str | None
    revises: str
    base: str
    base_moved: bool
    branch: str | None
    options: OptionsOut
    fork_point: str | None
    kept: int | None
    costs: CostsOut | None
    error: dict[str, Any] | None
    created_by: str
    created_ms: int
    updated_ms: int


class ProposalOut(ProposedOut):
    """A proposal with its plan and what each step will do."""

    plan: dict[str, Any] | None
    set: list[dict[str, Any]] | None
    changes: dict[str, Any] | None
    steps: list[ProposedStepOut]
    beyond: list[AttemptedOut]
    reasoning: str | None
    model_calls: list[dict[str, Any]]


class ProposalsOut(Out):
    """A page of proposals, newest first."""

    items: list[ProposedOut]
    next: str | None


class ApprovedOut(Out):
    """A proposal that was approved: `commit` is the revision, the first commit of `branch`."""

    number: int
    task_id: str
    status: str
    branch: str
    commit: str
    queued: bool = Field(description="false where there is nothing left to run")


class CommentOut(Out):
    """What somebody said; `seq_no` is the step it is about."""

    number: int
    seq_no: int | None
    author: str
    body: str
    created_ms: int


class CommentsOut(Out):
    """A page of comments, oldest first."""

    items: list[CommentOut]
    next: str | None
