"""``/api/tasks/{id}/view`` and ``…/report``: what `show` says of a task, and what `execute` says of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, RootModel

from app.api.descriptions import problems, tagged
from app.api.etags import etag, not_modified, tagged_answer
from app.api.lookup import the_task
from app.api.state import place, server
from app.api.task_models import TreeOut
from app.services.branch_trees import read_tree
from app.services.inspect import show_task
from app.services.run_reports import is_scripted, read_report
from app.vm.state import PAUSED

views = APIBlueprint("views", __name__, url_prefix="/api/tasks/<task_id>", tag="tasks")


class ViewQuery(BaseModel):
    """Where to look."""

    model_config = ConfigDict(extra="forbid")

    at: str | None = Field(None, max_length=300, description="a revision; default: the current branch")


class ReportQuery(BaseModel):
    """Which run."""

    model_config = ConfigDict(extra="forbid")

    branch: str | None = Field(None, max_length=240, description="default: the task's current branch")


class ViewOut(RootModel[dict[str, Any]]):
    """As `stackvm show --json`."""


class ReportOut(RootModel[dict[str, Any]]):
    """As `stackvm execute --json`; `status` is also `queued`, `planning` or `running`."""


@views.get("/view")
@views.input(ViewQuery, location="query")
@views.output(ViewOut)
@views.doc(summary="A task at a revision", operation_id="view_task", responses=problems(404, 409, 422))
def view(task_id: str, query_data: ViewQuery) -> Any:
    """Its plan, each step's state, its variables, whole, and what it waits for."""
    return show_task(place(), the_task(task_id), query_data.at).to_json()


@views.get("/tree")
@views.output(TreeOut)
@views.doc(summary="All branches as one tree", operation_id="get_tree", responses=tagged(404, 409))
def tree(task_id: str) -> Any:
    """Where each left another, and what is its own. It walks the histories once: `branches` is quicker."""
    document = {"items": [branch.to_json() for branch in read_tree(place(), the_task(task_id))]}
    tag = etag(json.dumps(document))
    return not_modified(tag) or tagged_answer(document, tag)


@views.get("/report")
@views.input(ReportQuery, location="query")
@views.output(ReportOut)
@views.doc(summary="How a run stands", operation_id="report_run", responses=problems(404, 409, 422))
def report(task_id: str, query_data: ReportQuery) -> Any:
    """Its status, and when it has ended its answer or error. The machine's own revisions of the branch are followed:
    `branch` is where the last of them led."""
    task = the_task(task_id)
    found = read_report(place(), task, query_data.branch)
    if found.status == PAUSED and server().jobs.has(task.id, found.branch):
        found = replace(found, status="queued")  # its process died or was stopped, and another will go on
    more = {"scripted": True} if is_scripted(place(), found) else {}
    return {**found.to_json(), **more}
