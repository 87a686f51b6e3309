"""``/api/tasks/{id}/proposals``: revisions that wait for somebody's word, and what is said about them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api.descriptions import problems, tagged
from app.api.errands import errands
from app.api.etags import answer, etag, not_modified, tagged_answer
from app.api.lookup import the_task
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.proposal_models import ApprovedOut, CommentOut, CommentsOut, ProposalOut, ProposalsOut
from app.api.state import place, server
from app.plan.model import Json
from app.services.approvals import approve_proposal
from app.services.comments import MAX_COMMENT, add_comment, comment_document, list_comments
from app.services.proposals import (
    MAX_SUGGESTION,
    Wish,
    base_moved,
    create_proposal,
    discard_proposal,
    find_proposal,
    list_proposals,
    proposal_document,
    write_proposal,
)
from app.services.revise import RevisionOptions
from app.services.workplace import Workplace

proposals = APIBlueprint("proposals", __name__, url_prefix="/api/tasks/<task_id>/proposals", tag="proposals")

_LARGEST: Final = (1 << 53) - 1
_ONE: Final = "/<int:number>"
_WRITING: Final = {
    202: {
        "description": "A model writes it.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProposalOut"}}},
    }
}


class Setting(BaseModel):
    """One place of a step, and what is to stand there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(min_length=1, max_length=10_000, description="such as parameters.tool_params.path")
    value: Json


class Propose(BaseModel):
    """A new plan, from exactly one of `plan`, `set` (with `step`), `suggestion`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    branch: str | None = Field(
        None, max_length=300, description="what is revised; default: the current branch"
    )
    plan: Json = Field(None, description="a plan document")
    step: int | None = Field(
        None, ge=0, le=_LARGEST, description="the step of `set`, or the only one to change"
    )
    set: list[Setting] | None = Field(
        None, min_length=1, max_length=100, description="values for places of `step`"
    )
    suggestion: str | None = Field(
        None, max_length=MAX_SUGGESTION, description="what should be different; a model writes the plan"
    )
    name: str | None = Field(
        None, max_length=240, description="of the new branch; default: the next revision-N"
    )
    reuse: bool = Field(True, description="take earlier answers where the same is asked")
    irreversible: Literal["ask", "reuse", "run", "skip"] | None = Field(
        None, description="what to do with irreversible calls of tools called beyond the fork point"
    )


@proposals.post("")
@proposals.input(Propose, location="json")
@proposals.output(ProposalOut, status_code=201)
@proposals.doc(
    summary="Propose a revision",
    operation_id="create_proposal",
    responses=_WRITING | problems(404, 409, 422),
)
def create(task_id: str, json_data: Propose) -> Any:
    """Nothing runs. A suggestion takes as long as a model does: the answer is 202 then, and the proposal is `writing`
    until it is `open` or has `failed`."""
    here, task = place(), the_task(task_id)
    wish = Wish(
        json_data.branch,
        json_data.plan,
        json_data.step,
        tuple((each.path, each.value) for each in json_data.set or ()),
        json_data.suggestion,
    )
    options = RevisionOptions(json_data.name, json_data.reuse, json_data.irreversible)
    prepare, write = partial(create_proposal, here, task, wish, options), partial(write_proposal, here, task)
    row = prepare() if wish.suggestion is None else errands.start(prepare, write)
    response = answer(proposal_document(row, False, whole=True), 202 if row.status == "writing" else 201)
    response.headers["Location"] = f"/api/tasks/{task.id}/proposals/{row.number}"
    return response


class ListQuery(PageQuery):
    """Which proposals."""

    status: Literal["writing", "open", "approving", "approved", "discarded", "failed"] | None = None


@proposals.get("")
@proposals.input(ListQuery, location="query")
@proposals.output(ProposalsOut)
@proposals.doc(
    summary="The proposals of a task, newest first",
    operation_id="list_proposals",
    responses=problems(404, 409, 422),
)
def many(task_id: str, query_data: ListQuery) -> Any:
    """Without their plans and steps."""
    here, task, cursor = place(), the_task(task_id), read_cursor(query_data.cursor, int)
    before = cursor[0] if cursor is not None else None
    rows = list(list_proposals(here, task, query_data.limit + 1, query_data.status, before))
    shown = rows[: query_data.limit]
    moved = base_moved(here, task, shown)
    after = write_cursor(shown[-1].number) if len(rows) > len(shown) else None
    return answer(page((proposal_document(row, moved[row.number], whole=False) for row in shown), after))


@proposals.get(_ONE)
@proposals.output(ProposalOut)
@proposals.doc(summary="One proposal", operation_id="get_proposal", responses=tagged(404, 409))
def one(task_id: str, number: int) -> Any:
    """With what each step will do: reuse an earlier result, run, maybe run, ask; what has happened that can't be
    taken back; and what the same calls cost before."""
    here, task = place(), the_task(task_id)
    return _whole(here, task_id=task.id, number=number)


def _whole(here: Workplace, task_id: str, number: int) -> Any:
    task = the_task(task_id)
    row = find_proposal(here, task, number)
    moved = base_moved(here, task, [row])[row.number]
    tag = etag(task.id, row.number, row.status, row.updated_ms, moved)
    return not_modified(tag) or tagged_answer(proposal_document(row, moved, whole=True), tag)


class ApproveQuery(BaseModel):
    """How it is to run."""

    model_config = ConfigDict(extra="forbid")

    priority: int = Field(0, ge=-100, le=100)
    parallel: int | None = Field(None, ge=1, le=256, description="calls at once")


@proposals.post(_ONE + "/approve")
@proposals.input(ApproveQuery, location="query")
@proposals.output(ApprovedOut, status_code=202)
@proposals.doc(
    summary="Approve a proposal: it runs",
    operation_id="approve_proposal",
    responses=problems(404, 409, 422),
)
def approve(task_id: str, number: int, query_data: ApproveQuery) -> Any:
    """The revision is committed as a branch of its own, and queued. Of several approvals one wins; the others are
    told 409, as is one whose branch has moved since (`base-moved`)."""
    approved = approve_proposal(
        place(),
        server().queue,
        the_task(task_id),
        number,
        priority=query_data.priority,
        parallel=query_data.parallel,
    )
    return answer(approved.to_json(), 202)


@proposals.post(_ONE + "/discard")
@proposals.output(ProposalOut)
@proposals.doc(summary="Discard a proposal", operation_id="discard_proposal", responses=problems(404, 409))
def discard(task_id: str, number: int) -> Any:
    """It can't be approved any more."""
    here, task = place(), the_task(task_id)
    row = discard_proposal(here, task, number)
    return answer(proposal_document(row, base_moved(here, task, [row])[row.number], whole=True))


class Comment(BaseModel):
    """What is said about a proposal, or about one step of its plan."""

    model_config = ConfigDict(extra="forbid", strict=True)

    body: str = Field(min_length=1, max_length=MAX_COMMENT)
    seq_no: int | None = Field(None, ge=0, le=_LARGEST, description="the step it is about")


@proposals.post(_ONE + "/comments")
@proposals.input(Comment, location="json")
@proposals.output(CommentOut, status_code=201)
@proposals.doc(
    summary="Comment on a proposal", operation_id="create_comment", responses=problems(404, 409, 422)
)
def comment(task_id: str, number: int, json_data: Comment) -> Any:
    """About the whole, or about a step."""
    row = add_comment(place(), the_task(task_id), number, json_data.body, json_data.seq_no)
    return answer(comment_document(row), 201)


@proposals.get(_ONE + "/comments")
@proposals.input(PageQuery, location="query")
@proposals.output(CommentsOut)
@proposals.doc(
    summary="The comments on a proposal, oldest first",
    operation_id="list_comments",
    responses=problems(404, 409, 422),
)
def comments(task_id: str, number: int, query_data: PageQuery) -> Any:
    """In the order in which they were made."""
    cursor = read_cursor(query_data.cursor, int)
    after = cursor[0] if cursor is not None else 0
    rows = list_comments(place(), the_task(task_id), number, query_data.limit + 1, after)
    shown = rows[: query_data.limit]
    more = write_cursor(shown[-1].number) if len(rows) > len(shown) else None
    return answer(page(map(comment_document, shown), more))
