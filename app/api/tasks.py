"""``/api/tasks``: submit, list, look, delete."""

from __future__ import annotations

from typing import Any

import orjson
from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api.state import place, server
from app.plan.model import Json
from app.services.deletion import delete_task
from app.services.queueing import queue_run
from app.services.tasks import MAIN, NewTask, find_task, list_tasks, submit_task, task_document

tasks = APIBlueprint("tasks", __name__, url_prefix="/api/tasks", tag="tasks")


class Submit(BaseModel):
    """A goal, with the plan where a model is not to write it."""

    model_config = ConfigDict(extra="forbid")

    goal: str = Field(min_length=1, max_length=100_000, description="what you want, in your own words")
    plan: Json = Field(None, description="a plan document; without it a model writes the plan")
    namespace: str | None = Field(None, max_length=240)
    response_format: dict[str, Any] | None = None
    history: str | None = Field(None, description="sql or git; default: the server's HISTORY_BACKEND")
    max_steps: int | None = Field(None, ge=1)
    revise: bool = Field(False, description="let a model revise the plan where a step fails")
    parallel: int | None = Field(None, ge=1, le=256)
    priority: int = Field(0, ge=-100, le=100)


class TaskOut(BaseModel):
    """A task as lists show it."""

    task_id: str
    goal: str
    namespace: str | None
    status: str
    branch: str
    steps: int
    error: str | None
    history: str
    created_ms: int
    updated_ms: int


@tasks.post("")
@tasks.input(Submit, location="json")
@tasks.output(TaskOut, status_code=202)
@tasks.doc(summary="Submit a goal", responses=[422, 429])
def submit(json_data: Submit) -> Any:
    """The task is there when this answers; a worker runs it."""
    plan = None if json_data.plan is None else orjson.dumps(json_data.plan)
    new = NewTask(
        json_data.goal,
        plan,
        json_data.namespace,
        json_data.response_format,
        json_data.history,
        json_data.max_steps,
        json_data.revise,
    )
    row = submit_task(place(), new)
    queue_run(place(), server().queue, row, MAIN, priority=json_data.priority, parallel=json_data.parallel)
    return task_document(row), 202, {"Location": f"/api/tasks/{row.id}"}


@tasks.get("/<task_id>")
@tasks.output(TaskOut)
@tasks.doc(summary="One task", responses=[404])
def one(task_id: str) -> Any:
    """By its id or the beginning of one."""
    return task_document(find_task(place(), task_id))


@tasks.get("")
@tasks.doc(summary="List the tasks")
def many() -> Any:
    """The newest first."""
    return {"tasks": [task_document(row) for row in list_tasks(place(), None, 50)]}


@tasks.delete("/<task_id>")
@tasks.output({}, status_code=204)
@tasks.doc(summary="Remove a task and its history", responses=[404, 409])
def remove(task_id: str) -> Any:
    """Refused while it runs."""
    row = find_task(place(), task_id)
    server().queue.withdraw(row.id)
    delete_task(place(), row)
    return ""
