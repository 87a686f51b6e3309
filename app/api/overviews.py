"""``/api/tasks/{id}/graph`` and ``…/timeline``: a plan as steps and edges, a run as what was under way when."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api.descriptions import problems, tagged
from app.api.etags import answer, etag, not_modified, tagged_answer
from app.api.lookup import is_commit_id, the_task
from app.api.models import Out
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.state import place
from app.errors import InputError
from app.services.plan_graphs import read_plan_graph
from app.services.timelines import read_timeline

overviews = APIBlueprint("overviews", __name__, url_prefix="/api/tasks/<task_id>", tag="tasks")


class GraphQuery(BaseModel):
    """Which plan."""

    model_config = ConfigDict(extra="forbid")

    rev: str | None = Field(None, max_length=300, description="a revision; default: the current branch")


class GraphStepOut(Out):
    """A step, and what became of it by that commit."""

    seq_no: int
    type: str
    description: str | None
    tool: str | None
    effect: str | None = Field(description="the tool's class; null: there is no tool, or none that is here")
    for_each: bool
    condition: str | None
    sets: list[str]
    state: str = Field(description="done, failed, next, waiting or pending")
    visits: int
    commit: str | None


class ControlEdgeOut(BaseModel):
    """A way from one step to another."""

    from_: int = Field(alias="from")
    to: int
    kind: str = Field(description="next, jump, true, false or error")


class DataEdgeOut(BaseModel):
    """Variables that a step may read as another set them."""

    from_: int = Field(alias="from")
    to: int
    names: list[str]


class GraphOut(Out):
    """A plan as a graph. `loops`: the steps that can come round again, together."""

    task_id: str
    branch: str | None
    commit: str
    plan: dict[str, Any]
    steps: list[GraphStepOut]
    edges: list[ControlEdgeOut]
    data: list[DataEdgeOut]
    loops: list[list[int]]


@overviews.get("/graph")
@overviews.input(GraphQuery, location="query")
@overviews.output(GraphOut)
@overviews.doc(
    summary="The plan of a revision as a graph", operation_id="get_graph", responses=problems(404, 409, 422)
)
def graph(task_id: str, query_data: GraphQuery) -> Any:
    """Each step with its state, where control goes from it, and whose values it reads."""
    return answer(read_plan_graph(place(), the_task(task_id), query_data.rev).to_json())


class TimelineQuery(PageQuery):
    """Which run."""

    rev: str | None = Field(None, max_length=300, description="a revision; default: the current branch")


class TimelineEntryOut(BaseModel):
    """A commit: when its calls were under way, not what they were asked. What is not there did not happen."""

    model_config = ConfigDict(extra="allow")

    commit: str
    kind: str
    seq_no: int | None
    time: int = Field(description="seconds since the epoch")
    subject: str


class TimelineOut(Out):
    """A page of a run, newest first."""

    items: list[TimelineEntryOut]
    next: str | None


@overviews.get("/timeline")
@overviews.input(TimelineQuery, location="query")
@overviews.output(TimelineOut)
@overviews.doc(
    summary="When each step of a run was under way",
    operation_id="get_timeline",
    responses=tagged(404, 409, 422),
)
def timeline(task_id: str, query_data: TimelineQuery) -> Any:
    """With the times of every item of a `for_each`, and of the models; no values."""
    task, cursor = the_task(task_id), read_cursor(query_data.cursor, str)
    if cursor is not None and not is_commit_id(cursor[0]):
        raise InputError("the cursor is none of this list", hint="take `next` of the page before, as it is")
    start = cursor[0] if cursor is not None else None
    found = read_timeline(place(), task, query_data.rev, query_data.limit, start)
    tag, immutable = etag(found.start.id), cursor is not None
    after = write_cursor(found.after) if found.after is not None else None
    return not_modified(tag, immutable=immutable) or tagged_answer(
        page(found.entries, after), tag, immutable=immutable
    )
