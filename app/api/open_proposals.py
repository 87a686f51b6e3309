"""``/api/proposals``: the proposals of all tasks that wait for somebody's word."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from app.api.descriptions import problems
from app.api.etags import answer
from app.api.models import Out
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.proposal_models import ProposedOut
from app.api.state import place
from app.services.proposals import base_moved, proposal_document, waiting_proposals

open_proposals = APIBlueprint("open_proposals", __name__, url_prefix="/api", tag="proposals")


class OpenProposalOut(ProposedOut):
    """A proposal, and what its task is for."""

    goal: str = Field(description="the task's")


class OpenProposalsOut(Out):
    """A page of proposals, newest first."""

    items: list[OpenProposalOut]
    next: str | None


@open_proposals.get("/proposals")
@open_proposals.input(PageQuery, location="query")
@open_proposals.output(OpenProposalsOut)
@open_proposals.doc(
    summary="Proposals that wait for a word", operation_id="list_open_proposals", responses=problems(422)
)
def many(query_data: PageQuery) -> Any:
    """Across all tasks, without their plans and steps."""
    here, cursor = place(), read_cursor(query_data.cursor, int)
    found = waiting_proposals(here, query_data.limit + 1, cursor[0] if cursor is not None else None)
    shown = found[: query_data.limit]
    items = [
        {**proposal_document(row, base_moved(here, task, [row])[row.number], whole=False), "goal": task.goal}
        for task, row in shown
    ]
    after = write_cursor(shown[-1][1].number) if len(found) > len(shown) else None
    return answer(page(items, after))
